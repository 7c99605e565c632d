package main

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

const maxHeaders = 48 << 10 // bytes

// checkHead rejects headers over 48 KiB, and a path or query that is not percent-encoded UTF-8.
func checkHead(r *http.Request) error {
	size := 0
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	if size > maxHeaders {
		return problem(http.StatusRequestHeaderFieldsTooLarge, "The headers are larger than 48 KiB.")
	}
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil || !utf8.ValidString(query) || !utf8.ValidString(r.URL.Path) {
		return problem(http.StatusBadRequest, "The path or the query is not percent-encoded UTF-8.")
	}
	return nil
}

// problemListener turns the responses of net/http to malformed requests, which no handler sees, into
// problems with a metric and a log line.
type problemListener struct{ net.Listener }

func (l problemListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if tcp, ok := connection.(*net.TCPConn); ok {
		return problemConnection{tcp}, err
	}
	return connection, err
}

type problemConnection struct{ *net.TCPConn }

var malformed = regexp.MustCompile(
	`^HTTP/1\.1 (\d+) (.+)\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n`,
)

func (c problemConnection) Write(text []byte) (int, error) {
	match := malformed.FindSubmatch(text)
	if match == nil {
		return c.TCPConn.Write(text)
	}
	status, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(problem(status, "The request is not valid HTTP."))
	if err != nil {
		return 0, err
	}
	report(&http.Request{URL: new(url.URL)}, "_OTHER", status, 0)
	_, err = fmt.Fprintf(
		c.TCPConn, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"+
			"Content-Length: %d\r\nConnection: close\r\n\r\n%s", status, match[2], len(body), body,
	)
	return len(text), err
}
