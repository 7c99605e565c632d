package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// The example resource, tested over HTTP.

func create(t *testing.T, name string) string {
	t.Helper()
	created := needed(t).ask(t, http.MethodPost, itemsPath, toJSON(t, NewItem{Name: name}))
	if created.StatusCode != http.StatusCreated {
		t.Fatal(created.Status, created.text)
	}
	return created.Header.Get("Location")
}

func TestACreatedItemIsFound(t *testing.T) {
	found := needed(t).ask(t, http.MethodGet, create(t, "Grüße 👋"), "")
	if item := fromJSON[Item](t, found.text); item.Name != "Grüße 👋" {
		t.Error(found.text)
	}
	if !strings.Contains(found.text, `Z"`) {
		t.Error("created_at is not in UTC:", found.text)
	}
}

func TestAnUnknownIDIsNotFound(t *testing.T) {
	found := needed(t).ask(t, http.MethodGet, itemsPath+"/"+uuid.NewString(), "")
	if found.StatusCode != http.StatusNotFound {
		t.Error(found.Status)
	}
}

func TestPagesContainEachItemOnce(t *testing.T) {
	var created, seen []string
	for i := range 5 {
		location := create(t, fmt.Sprint("item ", i))
		created = append(created, strings.TrimPrefix(location, itemsPath+"/"))
	}
	for query := "?limit=2"; query != ""; {
		page := fromJSON[ItemPage](t, needed(t).ask(t, http.MethodGet, itemsPath+query, "").text)
		for _, item := range page.Items {
			seen = append(seen, item.ID.String())
		}
		query = ""
		if page.Next != nil {
			query = "?limit=2&cursor=" + *page.Next
		}
	}
	if !slices.Equal(seen[len(seen)-5:], created) {
		t.Error(seen, created)
	}
	if slices.Sort(seen); len(slices.Compact(seen)) != len(seen) {
		t.Error("an item is on two pages")
	}
}

func TestAnInvalidParameterIsNamed(t *testing.T) {
	for query, parameter := range map[string]string{
		"?limit=0":                      "limit",
		"?limit=101":                    "limit",
		"?cursor=nonsense":              "cursor",
		"?cursor=" + uuid.NewString():   "cursor",
		"/nonsense":                     "id",
		"/urn:uuid:" + uuid.NewString(): "id",
		"/summary?depth=9":              "depth",
	} {
		rejected := needed(t).ask(t, http.MethodGet, itemsPath+query, "")
		faults := fromJSON[Problem](t, rejected.text).Errors
		if rejected.StatusCode != 422 || len(faults) != 1 || faults[0].Parameter != parameter {
			t.Error(query, rejected.Status, rejected.text)
		}
	}
}

func TestAnInvalidBodyIsRejected(t *testing.T) {
	for _, test := range []struct {
		body    string
		status  int
		pointer string
	}{
		{`{"name": "`, 400, ""},
		{`{"name": "\ud800"}`, 400, ""},
		{`[[[`, 400, ""},
		{`[]`, 422, "#"},
		{`{}`, 422, "#/name"},
		{`{"name": ""}`, 422, "#/name"},
		{`{"name": 1}`, 422, "#/name"},
		{`{"name": "\u0000"}`, 422, "#/name"},
		{toJSON(t, NewItem{Name: strings.Repeat("x", 201)}), 422, "#/name"},
		{`{"name": "x", "n/m": "y"}`, 422, "#/n~1m"},
		{toJSON(t, NewItem{Name: strings.Repeat("x", mib)}), 413, ""},
	} {
		rejected := needed(t).ask(t, http.MethodPost, itemsPath, test.body)
		if rejected.StatusCode != test.status {
			t.Errorf("%.40s %s", test.body, rejected.Status)
		}
		if kind := rejected.Header.Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("%.40s %s", test.body, kind)
		}
		faults := fromJSON[Problem](t, rejected.text).Errors
		if test.pointer != "" && (len(faults) != 1 || faults[0].Pointer != test.pointer) {
			t.Errorf("%.40s %s", test.body, rejected.text)
		}
	}
}

func TestTheSummaryCountsItems(t *testing.T) {
	create(t, "one more")
	response := needed(t).ask(t, http.MethodGet, itemsPath+"/summary?depth=0", "")
	summary := fromJSON[Summary](t, response.text)
	if summary.Items == 0 || len(summary.Calls) != len(callees) {
		t.Error(response.text)
	}
}
