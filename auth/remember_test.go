package auth

import (
	"strconv"
	"testing"
)

func TestRememberedIsBounded(t *testing.T) {
	m := newRemembered[int](3)
	for i := range 10 {
		m.put(DigestOf(strconv.Itoa(i)), i)
		if v, ok := m.get(DigestOf(strconv.Itoa(i))); !ok || v != i {
			t.Fatalf("%d is known as %d, %t, right after it was kept", i, v, ok)
		}
	}
	m.put(DigestOf("9"), 90)
	if v, _ := m.get(DigestOf("9")); v != 90 || len(m.found) != 3 {
		t.Errorf("kept %d of 3, the last as %d", len(m.found), v)
	}
	m.forget()
	if _, ok := m.get(DigestOf("9")); ok {
		t.Error("known although forgotten")
	}
	var none remembered[int]
	none.put(DigestOf("1"), 1)
	if _, ok := none.get(DigestOf("1")); ok {
		t.Error("the zero value keeps something")
	}
}
