package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

var errNoDatabase = errors.New(
	"no database: DATABASE_URL is not set, and Docker is not running",
)

// prepare creates an empty schema in the database of DATABASE_URL, or of compose.yaml, and migrates
// it. Existing data is not touched.
func prepare() (variables []string, remove func(), err error) {
	url, stop, err := testDatabase()
	if err != nil {
		return nil, nil, err
	}
	schema := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := execute(url, "create schema "+schema); err != nil {
		return nil, nil, err
	}
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	variables = []string{"DATABASE_URL=" + url + separator + "options=-csearch_path%3D" + schema}
	if err := begin(os.DevNull, variables, "migrate").Wait(); err != nil {
		return nil, nil, err
	}
	return variables, func() {
		if err := execute(url, "drop schema "+schema+" cascade"); err != nil {
			panic(err)
		}
		stop()
	}, nil
}

func testDatabase() (url string, stop func(), err error) {
	if url := os.Getenv("DATABASE_URL"); url != "" {
		return url, func() {}, nil
	}
	if exec.Command("docker", "info").Run() != nil { //nolint:noctx // returns immediately
		return "", nil, errNoDatabase
	}
	const name = service + "-db"
	if _, err := compose("up", "--quiet-pull", "--wait", name); err != nil {
		return "", nil, err
	}
	port, err := compose("port", name, "5432")
	url = fmt.Sprintf("postgresql://%s:dev@%s/%s", service, strings.TrimSpace(port), service)
	return url, func() { _, _ = compose("down", "--volumes") }, err
}

func compose(args ...string) (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	// A checkout has its own project: other checkouts' tests do not stop its database.
	project := fmt.Sprintf("%s-test-%08x", service, crc32.ChecksumIEEE([]byte(folder)))
	args = append([]string{"compose", "--project-name", project}, args...)
	command := exec.CommandContext(context.Background(), "docker", args...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	return string(output), err
}

func execute(url, statement string) error {
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer connection.Close(ctx)
	_, err = connection.Exec(ctx, statement)
	return err
}

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

func TestAnUnreachableDatabaseIsA503(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgresql://user:password@127.0.0.1:1/database")
	opened, err := openDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer opened.close()
	for name, ping := range opened.checks() {
		p, _ := errors.AsType[*Problem](opened.use(t.Context(), ping))
		if name != "database" || p == nil || p.Status != http.StatusServiceUnavailable {
			t.Error(name, p)
		}
	}
	for _, own := range []error{pgx.ErrNoRows, invalid()} {
		query := func(context.Context) error { return own }
		if err := opened.use(t.Context(), query); !errors.Is(err, own) {
			t.Error(own, err)
		}
	}
}
