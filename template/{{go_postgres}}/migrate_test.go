package main

import (
	"os"
	"testing"
)

func TestConcurrentMigrationsSucceed(t *testing.T) {
	needed(t)
	first, second := begin(os.DevNull, environment, "migrate"), begin(os.DevNull, environment, "migrate")
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	if err := second.Wait(); err != nil {
		t.Error(err)
	}
}
