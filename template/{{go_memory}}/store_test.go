package main

// prepare does nothing, as there is no database.
func prepare() (variables []string, remove func(), err error) {
	return nil, func() {}, nil
}
