package redisconn_test

import (
	"testing"

	"iqgateway/internal/redisconn"
)

// Replicas of different versions share what is stored: names and sealed values
// of released versions stay what they are.

func TestKeyNamesAreStable(t *testing.T) {
	c := named(t, redisconn.Options{NameKey: key(9)})
	const want = "iqgw:token:{5jWmKUwPZIPOeVb9E-U0hg}:value"
	if got := c.Key("token", "production", "shop").Field("value"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What key(1) once sealed for version 3 of oldName.
const (
	oldName   = "iqgw:token:{x}:value"
	oldSealed = "AdsvqGUijrA0MqJJXqwwNG5BAiNOp1bsBsYuetHilZ01j6bkubc"
)

func TestSealedValuesAreStable(t *testing.T) {
	c, _ := sealer(t, redisconn.Hooks{}, key(1))
	got, err := c.Open("token", oldName, 3, oldSealed)
	if err != nil || string(got) != "plain" {
		t.Errorf("%q, %v", got, err)
	}
}
