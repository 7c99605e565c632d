package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Orders, tested over HTTP, with a products service of the test.

const tea = "6f6cb1c3-6d64-4a2b-9d5c-0d3f0a6a7e01"

var teaLine = Line{ProductID: uuid.MustParse(tea), Quantity: 2, PriceCents: 250}

// startOrders runs the service with a products service that has tea for 250 cents.
func startOrders(t *testing.T, variables ...string) *running {
	t.Helper()
	needed(t)
	products := httptest.NewServer(handler(func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path != "/v1/products/"+tea {
			return problem(http.StatusNotFound, "No item has this id.")
		}
		product := map[string]any{"id": tea, "name": "tea", "price_cents": 250, "created_at": time.Now()}
		return writeJSON(w, http.StatusOK, product)
	}))
	t.Cleanup(products.Close)
	variables = append([]string{"PRODUCTS_URL=" + products.URL}, variables...)
	orders, err := start(filepath.Join(t.TempDir(), "log"), append(environment, variables...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(orders.end)
	return orders
}

func place(t *testing.T, orders *running, lines ...Line) answer {
	t.Helper()
	return orders.ask(t, http.MethodPost, ordersPath, toJSON(t, NewOrder{Lines: lines}))
}

func TestAnOrderIsKeptAndPaidOnce(t *testing.T) {
	orders := startOrders(t)
	placed := place(t, orders, teaLine, teaLine)
	order, location := fromJSON[Order](t, placed.text), placed.Header.Get("Location")
	if placed.StatusCode != http.StatusCreated || order.TotalCents != 1000 || order.Status != statusOpen {
		t.Fatal(placed.Status, placed.text)
	}
	if kept := orders.ask(t, http.MethodGet, location, ""); kept.text != placed.text {
		t.Error(kept.text, placed.text)
	}
	for _, want := range []int{http.StatusOK, http.StatusConflict} {
		if paid := orders.ask(t, http.MethodPut, location+"/status", `{"status": "paid"}`); paid.StatusCode != want {
			t.Error(paid.Status, paid.text)
		}
	}
	for status, want := range map[string]bool{"": true, "?status=paid": true, "?status=open": false} {
		listed := orders.ask(t, http.MethodGet, ordersPath+status, "")
		found := fromJSON[OrderList](t, listed.text).Orders
		if (len(found) > 0 && found[0].ID == order.ID) != want {
			t.Error(status, listed.text)
		}
	}
}

func TestALineMustFitItsProduct(t *testing.T) {
	orders := startOrders(t, "MAX_LINES=2")
	unknown := Line{ProductID: uuid.New(), Quantity: 1, PriceCents: 250}
	cheaper := Line{ProductID: teaLine.ProductID, Quantity: 1, PriceCents: 1}
	for pointer, lines := range map[string][]Line{
		"#/lines/1/product_id":  {teaLine, unknown},
		"#/lines/0/price_cents": {cheaper, teaLine},
		"#/lines":               {teaLine, teaLine, teaLine},
	} {
		refused := place(t, orders, lines...)
		faults := fromJSON[Problem](t, refused.text).Errors
		if refused.StatusCode != 422 || len(faults) != 1 || faults[0].Pointer != pointer {
			t.Error(pointer, refused.Status, refused.text)
		}
	}
}

func TestWithoutProductsThereIsNoOrder(t *testing.T) {
	if refused := place(t, needed(t), teaLine); refused.StatusCode != http.StatusBadGateway {
		t.Error(refused.Status, refused.text)
	}
}

func TestAnOldOrderExpires(t *testing.T) {
	orders := startOrders(t, "OPEN_SECONDS=1")
	location := place(t, orders, teaLine).Header.Get("Location")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		kept := orders.ask(t, http.MethodGet, location, "")
		if fromJSON[Order](t, kept.text).Status == statusExpired {
			return
		}
	}
	t.Error("the order is still open after a minute")
}

func TestAnInvalidOrderRequestIsRefused(t *testing.T) {
	const id = "/" + tea
	for _, test := range []struct {
		method, path, body string
		status             int
		where              string
	}{
		{"POST", "", `{"lines": []}`, 422, "#/lines"},
		{"POST", "", `{"lines": [{}]}`, 422, "#/lines/0/price_cents"},
		{"POST", "", strings.Replace(toJSON(t, NewOrder{Lines: []Line{teaLine}}), ":2,", ":1001,", 1), 422, "#/lines/0/quantity"},
		{"GET", "?status=new", "", 422, "status"},
		{"GET", "/tea", "", 422, "id"},
		{"GET", id, "", 404, ""},
		{"PUT", id + "/status", `{"status": "paid"}`, 404, ""},
		{"PUT", id + "/status", `{"status": "open"}`, 422, "#/status"},
	} {
		refused := needed(t).ask(t, test.method, ordersPath+test.path, test.body)
		faults := fromJSON[Problem](t, refused.text).Errors
		named := test.where == "" || faults[0].Pointer+faults[0].Parameter == test.where
		if refused.StatusCode != test.status || !named {
			t.Error(test, refused.Status, refused.text)
		}
	}
}
