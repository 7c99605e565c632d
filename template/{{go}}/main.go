package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"
)

const exitTemporary = 75 // EX_TEMPFAIL of sysexits.h; the chart's Job retries only this

var errUnreachable = errors.New("the database was unreachable")

func main() {
	logAsJSON(slog.LevelInfo)
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	slog.Error(err.Error())
	if errors.Is(err, errUnreachable) {
		os.Exit(exitTemporary)
	}
	os.Exit(1)
}

// run executes the command; without arguments it serves.
func run(args []string) error {
	switch command := strings.Join(args, " "); {
	case command == "":
		return serve()
	case command == "migrate":
		return migrate()
	case command == "ready":
		return probe("http://127.0.0.1:" + variable("PORT", "8080") + "/readyz")
	case len(args) == 2 && args[0] == "ready":
		return probe(args[1])
	default:
		return fmt.Errorf("unknown command %s: use migrate, ready, or no argument to serve", command)
	}
}

// probe requests a URL. The image has no shell; its health check and helm test use this.
func probe(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s returned status %s", url, response.Status)
	}
	return nil
}
