package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	logAsJSON(slog.LevelInfo)
	if err := run(os.Args[1:]); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}

// run does what the command line says: it serves when that is empty.
func run(words []string) error {
	switch command := strings.Join(words, " "); {
	case command == "":
		return serve()
	case command == "migrate":
		return migrate()
	case command == "ready":
		return ask("http://127.0.0.1:" + variable("PORT", "8080") + "/readyz")
	case len(words) == 2 && words[0] == "ready":
		return ask(words[1])
	default:
		return fmt.Errorf("there is no command %s: write migrate, ready, or nothing to serve", command)
	}
}

// ask is for images without a shell: their health check, and helm test.
func ask(url string) error {
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
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
