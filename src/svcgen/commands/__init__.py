"""One verb a module: values in, values out."""
