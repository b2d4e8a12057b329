package redistest

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Disguises returns the forms in which a text could lie in Redis without being
// sealed. Base64 has three, by the text's place in the encoded whole.
func Disguises(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	for offset := range 3 {
		whole := strings.Repeat("\x00", offset) + text
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := e.EncodeToString([]byte(whole[:len(whole)-len(whole)%3]))
			forms = append(forms, encoded[[]int{0, 2, 3}[offset]:])
		}
	}
	return forms
}
