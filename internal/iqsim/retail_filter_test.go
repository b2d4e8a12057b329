package iqsim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func filterSubject() document {
	return document{
		"PrimaryName": "Bob", "FamilyName": "O'Connor", "UniqueIdentifier": "CUST-10012", "EntityId": json.Number("123"),
		"LastModifiedDateUtc": "2018-03-01T08:00:00.0000000Z", "CustomerId": "659C2A38-d083-4421-9330-46d779702f85",
		"Disabled": false, "Version": 3, "MiddleName": nil, "Code": "0777", "statusName": "Completed",
		"Items": []any{"x"}, "updatedUtc": "2018-03-01T08:00:00.0000000Z",
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		filter string
		want   bool
	}{
		{"", true},
		{"UniqueIdentifier eq 'CUST-10012'", true},
		{"UniqueIdentifier eq 'cust-10012'", false}, // case-sensitive
		{"FamilyName eq 'O''Connor'", true},
		{"FamilyName ne 'O''Connor'", false},
		{"CustomerId eq guid'659c2a38-D083-4421-9330-46d779702f85'", true},
		{"CustomerId ne guid'659c2a38-d083-4421-9330-46d779702f86'", true},
		{"EntityId eq 123", true},
		{"EntityId eq '123'", true},
		{"EntityId lt 200 and EntityId ge 123", true},
		{"Code eq 777", true},
		{"PrimaryName gt 5", true},
		{"Version gt 3", false},
		{"Version le 3.0", true},
		{"3 eq Version", true},
		{"LastModifiedDateUtc ge datetime'2018-03-01T08:00:00Z'", true},
		{"LastModifiedDateUtc gt datetime'2018-03-01T08:00:00'", false},
		{"LastModifiedDateUtc lt datetimeoffset'2018-03-01T08:30:00+01:00'", false},
		{"datetime'2018-01-01' lt LastModifiedDateUtc", true},
		{"PrimaryName ge datetime'2018-01-01'", false},
		{"substringof('bob', tolower(PrimaryName))", true},
		{"substringof('bob', PrimaryName)", false},
		{"startswith(UniqueIdentifier, 'CUST') and endswith(UniqueIdentifier, '12')", true},
		{"toupper(PrimaryName) eq 'BOB'", true},
		{"Disabled eq false", true},
		{"not (Disabled eq true)", true},
		{"MiddleName eq null", true},
		{"PrimaryName ne null", true},
		{"Unknown eq 'x'", false},
		{"Unknown eq null", true},
		{"Items eq 'x'", false},
		{"PrimaryName eq 'x' or PrimaryName eq 'y' or PrimaryName eq 'Bob'", true},
		{"PrimaryName eq 'x' and PrimaryName eq 'Bob' or Version eq 3", true},
		{"PrimaryName eq 'x' and (PrimaryName eq 'Bob' or Version eq 3)", false},
		{"statusName eq Completed and EntityId eq 123", true},
		{"updatedUtc gt 2018-02-28T23:59:59.999Z and updatedUtc lt 2018-03-01T08:00:00.001Z", true},
		{"updatedUtc gt 2018-03-01T08:00:00.000Z", false},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			f, err := parseFilter(tt.filter)
			if err != nil {
				t.Fatalf("parseFilter: %v", err)
			}
			if got := f(filterSubject()); got != tt.want {
				t.Errorf("filter = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCompareValues(t *testing.T) {
	early, late := time.Date(2018, 3, 1, 8, 0, 0, 0, time.UTC), time.Date(2018, 3, 2, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		a, b    any
		order   int
		ordered bool
	}{
		{nil, nil, 0, true},
		{nil, "x", 0, false},
		{"x", []any{}, 0, false},
		{"a", "b", -1, true},
		{"2018-03-01T08:00:00.5Z", "2018-03-01T08:00:00Z", 1, true}, // by bytes it would be the other way round
		{"2018-03-01", "2018-03-01x", -1, true},
		{early, late, -1, true},
		{late, stamp(early), 1, true},
		{early, number{1, "1"}, 0, false},
		{early, true, -1, true},
		{true, "true", 0, true},
		{"false", true, -1, true},
		{1, json.Number("1.0"), 0, true},
		{2.5, 2, 1, true},
		{json.Number("1e999"), "1e999", 0, true}, // no float: compared as text
		{number{7, "7"}, true, -1, true},
		{true, number{7, "7"}, 0, false},
		{guid("AB"), "ab", 0, true},
		{"ab", guid("AC"), -1, true},
		{number{12, "12"}, guid("12"), 0, true},
		{early, guid(stamp(early)), 0, true},
	}
	for _, tt := range tests {
		order, ordered := compareValues(tt.a, tt.b)
		if ordered != tt.ordered || ordered && order != tt.order {
			t.Errorf("compareValues(%v, %v) = %d, %v; want %d, %v", tt.a, tt.b, order, ordered, tt.order, tt.ordered)
		}
	}
}

func TestFilterRefused(t *testing.T) {
	tests := []struct{ filter, reason string }{
		{"PrimaryName eq", "ends too early"},
		{"PrimaryName eq 'x", "not closed"},
		{"(PrimaryName eq 'x'", "closing parenthesis"},
		{"PrimaryName eq 'x')", "goes on"},
		{"PrimaryName eq 'x' PrimaryName", "goes on"},
		{"LastModifiedDateUtc ge datetime'yesterday'", "no date"},
		{"Id eq binary'00'", "no type of literal"},
		{"soundslike(PrimaryName, 'x')", "no function"},
		{"substringof('x')", "takes 2 arguments"},
		{"substringof('x', PrimaryName", "closing parenthesis"},
		{"and", "not and"},
		{"Version eq eq", "not eq"},
		{"PrimaryName eq not", "not not"},
		{", eq 1", "needs a field"},
		{strings.Repeat("(", 100) + "Version eq 3" + strings.Repeat(")", 100), "nested deeper"},
		{strings.Repeat("not ", 100) + "Version eq 3", "nested deeper"},
		{strings.Repeat("tolower(", 100) + "A" + strings.Repeat(")", 100), "nested deeper"},
		{strings.Repeat("a", maxFilter+1), "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.reason+" "+tt.filter[:min(20, len(tt.filter))], func(t *testing.T) {
			if _, err := parseFilter(tt.filter); err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error = %v, want one that says %q", err, tt.reason)
			}
		})
	}
}

// A filter from the outside must not panic, and what it accepts it must be
// able to evaluate: "f or not f" holds for any document.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"UniqueIdentifier eq 'x'", "substringof('bob', tolower(PrimaryName))", "CustomerId eq guid'00'", "not (A eq 1)",
		"LastModifiedDateUtc ge datetime'2018-03-01T08:00:00Z' and B lt -1.5e3", "statusName eq Completed or x", "''''", "((", "a'",
	} {
		f.Add(seed)
	}
	subject := filterSubject()
	f.Fuzz(func(t *testing.T, text string) {
		one, err := parseFilter(text)
		if err != nil || strings.TrimSpace(text) == "" {
			return
		}
		if both, err := parseFilter("(" + text + ") or not (" + text + ")"); err == nil && !both(subject) {
			t.Errorf("neither %q nor its opposite holds (%v)", text, one(subject))
		}
	})
}
