# The command line without a GPU and without LangGraph's server (docs/command-line.md). The server has another image:
# docs/deploy.md. Nobody has built this one yet; a test checks what it copies and installs.
FROM python:3.12-slim
WORKDIR /opt/aurelia
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY aurelia_core aurelia_core
COPY state state
COPY targets targets
COPY prompts prompts
COPY nodes nodes
COPY graph graph
COPY aurelia aurelia
COPY aurelia_offline aurelia_offline
# Extras are named at the build, for instance --build-arg EXTRAS=[google,openai].
ARG EXTRAS=""
RUN pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS}" && useradd --create-home aurelia
USER aurelia
ENV AURELIA_HOME=/home/aurelia/data
RUN mkdir "$AURELIA_HOME"
VOLUME /home/aurelia/data
WORKDIR /clips
ENTRYPOINT ["aurelia"]
