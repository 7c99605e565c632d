package main

// prepare has nothing to do for a service without a database.
func prepare() (variables []string, remove func(), err error) {
	return nil, func() {}, nil
}
