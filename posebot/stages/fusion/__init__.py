"""Parts of stage 5: camera errors, the filter, tracks, association, what should be in sight. See `stages.fuse`."""
