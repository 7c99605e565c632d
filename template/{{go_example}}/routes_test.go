package main

// schemaTypes are the types of the schemas in openapi.json, except Problem and Fault.
var schemaTypes = []any{NewItem{}, Item{}, ItemPage{}, Summary{}}
