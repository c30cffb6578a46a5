"""How well the offline agents read questions and judge captions, on rendered clips of known truth."""
