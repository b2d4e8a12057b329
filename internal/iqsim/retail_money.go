package iqsim

import (
	"encoding/json"
	"strconv"
)

// price keeps an amount as the number that was written: no binary fractions.
func price(text string) json.Number { return json.Number(text) }

// atoi reads a number that the seed or a checked capture holds; 0 otherwise.
func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
