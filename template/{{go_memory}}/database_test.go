package main

// prepare does nothing: a service without a database needs no variables.
func prepare() (variables []string, remove func(), err error) {
	return nil, func() {}, nil
}
