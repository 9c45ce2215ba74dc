"""From a media file to the frames a model sees."""
