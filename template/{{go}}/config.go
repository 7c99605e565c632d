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

// settings come from environment variables, read once at startup.
type settings struct {
	host     string // empty: all interfaces
	port     int
	level    slog.Level
	drain    time.Duration
	exported bool
	callees  map[string]string // addresses by service name
}

func readSettings() (settings, error) {
	host, hostErr := read("HOST", "", optional(parseHost))
	port, portErr := read("PORT", "8080", parsePort)
	level, levelErr := read("LOG_LEVEL", "info", parseLevel)
	drain, drainErr := read("DRAIN_SECONDS", "3", parseSeconds)
	collector, collectorErr := read("OTEL_EXPORTER_OTLP_ENDPOINT", "", optional(parseURL))
	addresses, calleeErr := readCallees()
	err := errors.Join(hostErr, portErr, levelErr, drainErr, collectorErr, calleeErr)
	return settings{host, port, level, drain, collector != "", addresses}, err
}

func readCallees() (map[string]string, error) {
	addresses, errs := map[string]string{}, []error{}
	for _, callee := range callees {
		url, err := read(addressVariable(callee.name), "", parseURL)
		addresses[callee.name] = strings.TrimRight(url, "/")
		errs = append(errs, err)
	}
	return addresses, errors.Join(errs...)
}

func addressVariable(callee string) string {
	return strings.ToUpper(strings.ReplaceAll(callee, "-", "_")) + "_URL"
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

func parsePort(value string) (int, error) {
	port, err := strconv.Atoi(value)
	if err != nil || port < 1 || port > 65535 {
		return 0, errors.New("must be a number from 1 to 65535")
	}
	return port, nil
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
