package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// tourStep is one call of the demo, made through the gateway as an application
// would make it, and shown as the curl line that repeats it.
type tourStep struct {
	title  string
	method string
	target string // path and query at the gateway
	accept string
	body   string // JSON, "" = none
	want   int
	cached bool // the answer must come from the cache, and its header is shown
	// show sums an answer up in one line.
	show func(body []byte) (string, error)
}

const (
	demoCompany  = "14146"
	maxTourBytes = 4 << 20
)

func tour() []tourStep {
	return []tourStep{
		{
			title: "A customer is read", method: http.MethodGet, accept: "application/json", want: http.StatusOK,
			target: "/crm/v1/Companies(" + demoCompany + ")/Customers?$top=1",
			show:   showCustomer,
		},
		{
			title: "An order is placed", method: http.MethodPost, accept: "application/json", want: http.StatusCreated,
			target: "/order/v1/Companies(" + demoCompany + ")/OrderFull",
			body:   `{"Name":"Demo order","EntityId":` + demoCompany + `,"OrderTypeId":1,"Items":[{"ItemTypeId":1,"Description":"Phone case","Quantity":2}]}`,
			show:   showOrder,
		},
		{
			title: "DataConnect exports CSV", method: http.MethodGet, accept: "*/*", want: http.StatusOK,
			target: "/dataconnect/lists/stores?Response=Csv",
			show:   showCSV,
		},
		{
			title: "A catalog is read, which the cache keeps", method: http.MethodGet, accept: "application/json", want: http.StatusOK,
			target: "/catalogs/v1/Companies(" + demoCompany + ")/Catalog/Items",
			show:   showItems,
		},
		{
			title: "The same again costs no upstream call", method: http.MethodGet, accept: "application/json", want: http.StatusOK, cached: true,
			target: "/catalogs/v1/Companies(" + demoCompany + ")/Catalog/Items",
			show:   showItems,
		},
		{
			title: "The gateway says what you may do and what is left for you", method: http.MethodGet, accept: "application/json", want: http.StatusOK,
			target: pathMe,
			show:   showMe,
		},
	}
}

// curl returns the line that repeats the step.
func (s tourStep) curl(base, caFile, key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl --cacert %s -H 'X-Api-Key: %s'", caFile, key)
	if s.cached {
		b.WriteString(" -i")
	}
	if s.method != http.MethodGet {
		fmt.Fprintf(&b, " -X %s -H 'Content-Type: application/json' -d '%s'", s.method, s.body)
	}
	if s.accept != "*/*" {
		fmt.Fprintf(&b, " -H 'Accept: %s'", s.accept)
	}
	fmt.Fprintf(&b, " '%s%s'", base, s.target)
	return b.String()
}

// take makes the call and returns the line to show.
func (s tourStep) take(ctx context.Context, client *http.Client, base, key string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, s.method, base+s.target, strings.NewReader(s.body))
	if err != nil {
		return "", err
	}
	if s.body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", s.accept)
	r.Header.Set("X-Api-Key", key)
	begin := time.Now()
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := io.CopyN(&body, resp.Body, maxTourBytes); err != nil && err != io.EOF { //nolint:errorlint // CopyN returns io.EOF itself
		return "", err
	}
	if resp.StatusCode != s.want {
		return "", fmt.Errorf("%s answered %s, want %d: %.300s", s.target, resp.Status, s.want, body.String())
	}
	sum, err := s.show(body.Bytes())
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.target, err)
	}
	if s.cached {
		status := resp.Header.Get("Cache-Status")
		if !strings.HasPrefix(status, "iqgateway; hit") {
			return "", fmt.Errorf("%s did not come from the cache: %s", s.target, status)
		}
		sum += ", Cache-Status: " + status
	}
	return fmt.Sprintf("%d in %s: %s", resp.StatusCode, time.Since(begin).Round(100*time.Microsecond), sum), nil
}

func showCustomer(body []byte) (string, error) {
	var customers []struct{ PrimaryName, FamilyName string }
	if err := json.Unmarshal(body, &customers); err != nil {
		return "", err
	}
	if len(customers) == 0 {
		return "", fmt.Errorf("no customer in %.100s", body)
	}
	return strings.TrimSpace(customers[0].PrimaryName + " " + customers[0].FamilyName), nil
}

func showOrder(body []byte) (string, error) {
	var order struct{ PrintableID, State string }
	if err := json.Unmarshal(body, &order); err != nil {
		return "", err
	}
	if order.PrintableID == "" {
		return "", fmt.Errorf("no PrintableId in %.100s", body)
	}
	return "order " + order.PrintableID + " " + strings.ToLower(order.State), nil
}

func showItems(body []byte) (string, error) {
	var catalog struct {
		Items []struct{ CatalogItemID string }
	}
	if err := json.Unmarshal(body, &catalog); err != nil {
		return "", err
	}
	if len(catalog.Items) == 0 {
		return "", fmt.Errorf("no item in %.100s", body)
	}
	return fmt.Sprintf("%d items", len(catalog.Items)), nil
}

func showMe(body []byte) (string, error) {
	var me meDocument
	if err := json.Unmarshal(body, &me); err != nil {
		return "", err
	}
	for _, service := range me.Services {
		for _, q := range service.Quotas {
			if q.Known && q.Window > 0 {
				return fmt.Sprintf("%s has %d of %d requests of %s left, for %.0f s", me.Caller, q.Remaining, q.Limit, service.Service, q.OpensIn), nil
			}
		}
	}
	return "", fmt.Errorf("nothing is known of any quota in %.100s", body)
}

func showCSV(body []byte) (string, error) {
	first, rest, found := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if !found {
		return "", fmt.Errorf("no rows in %.100s", body)
	}
	columns := strings.Count(first, ",") + 1
	return fmt.Sprintf("%d rows of %d columns (%s)", strings.Count(rest, "\n")+1, columns, strings.TrimSpace(firstFields(first))), nil
}

func firstFields(line string) string {
	fields := strings.SplitN(line, ",", 4)
	if len(fields) == 4 {
		return strings.Join(fields[:3], ",") + ",…"
	}
	return line
}
