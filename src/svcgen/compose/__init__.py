"""The stitched compose file and the checks before it is written."""
