package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings are the environment variables of every service, read once at startup. A service reads its
// own in routes.go.
type settings struct {
	host     string // empty: all interfaces
	port     int
	level    slog.Level
	drain    time.Duration
	exported bool
}

func readSettings() (settings, error) {
	host, hostErr := read("HOST", "", optional(parseHost))
	port, portErr := read("PORT", "8080", parseNumber(1, 65535))
	level, levelErr := read("LOG_LEVEL", "info", parseLevel)
	drain, drainErr := read("DRAIN_SECONDS", "3", parseSeconds)
	collector, collectorErr := read("OTEL_EXPORTER_OTLP_ENDPOINT", "", optional(parseURL))
	err := errors.Join(hostErr, portErr, levelErr, drainErr, collectorErr)
	return settings{
		host: host, port: port, level: level, drain: drain, exported: collector != "",
	}, err
}

// read parses an environment variable. An error has its name and the rule, but not the value, which
// can contain a password.
func read[T any](name, fallback string, parse func(string) (T, error)) (T, error) {
	value, err := parse(variable(name, fallback))
	if err != nil {
		return value, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}

func variable(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func parseHost(value string) (string, error) {
	if _, err := netip.ParseAddr(value); err != nil {
		return "", errors.New("must be an IP address")
	}
	return value, nil
}

// parseNumber returns a function for read, as parseText, parseURL and parseSeconds are.
func parseNumber(low, high int) func(string) (int, error) {
	return func(value string) (int, error) {
		number, err := strconv.Atoi(value)
		if err != nil || number < low || number > high {
			return 0, fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		return number, nil
	}
}

func parseText(value string) (string, error) {
	if strings.TrimSpace(value) == "" {
		return "", errors.New("must not be empty")
	}
	return value, nil
}

func parseLevel(value string) (slog.Level, error) {
	for level, name := range levels {
		if strings.EqualFold(value, name) {
			return level, nil
		}
	}
	return 0, errors.New("must be debug, info, warning or error")
}

func parseSeconds(value string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(0 <= seconds && seconds <= 300) { // also rejects NaN
		return 0, errors.New("must be a number of seconds from 0 to 300")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func parseURL(value string) (string, error) {
	address, err := url.Parse(value)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return "", errors.New("must be an absolute http or https URL")
	}
	return value, nil
}

func optional(parse func(string) (string, error)) func(string) (string, error) {
	return func(value string) (string, error) {
		if value == "" {
			return "", nil
		}
		return parse(value)
	}
}
