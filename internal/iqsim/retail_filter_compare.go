package iqsim

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// compareValues orders two operands of a comparison. ordered is false where
// they have no order, which makes every operator but "ne" false. A literal's
// type decides how the text of a field is read.
func compareValues(a, b any) (order int, ordered bool) {
	a, b = plain(a), plain(b)
	if a == nil || b == nil {
		return 0, a == nil && b == nil
	}
	switch b := b.(type) {
	case time.Time:
		t, ok := instantOf(a)
		return t.Compare(b), ok
	case guid:
		return strings.Compare(strings.ToLower(textOf(a)), strings.ToLower(string(b))), true
	case bool:
		return cmp.Compare(textOf(a), strconv.FormatBool(b)), true
	case number:
		return compareNumber(a, b)
	}
	switch a.(type) {
	case time.Time, guid, number, bool:
		order, ordered = compareValues(b, a)
		return -order, ordered
	}
	return compareText(textOf(a), textOf(b)), true
}

// compareText compares in time where both texts are instants ("updatedUtc gt
// 2018-01-01" comes without quotes), else by bytes: $filter is case-sensitive.
func compareText(a, b string) int {
	if looksDated(a) && looksDated(b) {
		first, ok := parseInstant(a)
		second, also := parseInstant(b)
		if ok && also {
			return first.Compare(second)
		}
	}
	return strings.Compare(a, b)
}

func looksDated(s string) bool { return len(s) >= 10 && s[4] == '-' && s[7] == '-' }

// plain reduces what a document or a literal can hold to nil, string, bool,
// number, time.Time or guid; lists and objects are nil, having no order.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return number{n, v.String()}
	case int:
		return number{float64(v), strconv.Itoa(v)}
	case float64:
		return number{v, strconv.FormatFloat(v, 'f', -1, 64)}
	case string, bool, number, time.Time, guid:
		return v
	default:
		return nil
	}
}

// compareNumber compares as numbers where both are, else as text.
func compareNumber(a any, b number) (int, bool) {
	switch a := a.(type) {
	case number:
		return cmp.Compare(a.value, b.value), true
	case string:
		if n, err := strconv.ParseFloat(a, 64); err == nil {
			return cmp.Compare(n, b.value), true
		}
		return strings.Compare(a, b.text), true
	default:
		return 0, false
	}
}

func instantOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		return parseInstant(v)
	default:
		return time.Time{}, false
	}
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case guid:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case number:
		return v.text
	case time.Time:
		return stamp(v)
	default:
		return ""
	}
}
