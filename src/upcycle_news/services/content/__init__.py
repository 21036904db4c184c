"""The content folder of a publication: essays, feeds, images, and git."""
