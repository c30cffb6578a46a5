"""The offline agents: code that measures the clip in every role of the loop, without a model or a key."""
