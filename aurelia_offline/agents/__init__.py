"""The offline agents: every role of the loop played by code that measures the clip, and says what it cannot know."""
