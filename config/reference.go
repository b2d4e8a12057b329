package config

import (
	"errors"
	"fmt"
	"strings"

	"iqgateway/internal/secret"
)

// sources is where references lead; offline none is followed.
type sources struct {
	environ map[string]string
	files   Files
	offline bool
}

const maxSecret = 64 << 10 // bytes

// resolve follows a secret's text. The text itself is never part of an error.
func (s sources) resolve(text string) (Secret, error) {
	inner, ok := strings.CutPrefix(text, "${")
	if !ok && !strings.Contains(text, "${env:") && !strings.Contains(text, "${file:") {
		return Secret{Text: secret.New(text)}, checkSecret(text)
	}
	inner, closed := strings.CutSuffix(inner, "}")
	scheme, name, _ := strings.Cut(inner, ":")
	if !ok || !closed || strings.ContainsAny(name, "{}") || scheme != "env" && scheme != "file" || name == "" {
		return Secret{}, errors.New("is a broken reference: write exactly ${env:NAME} or ${file:/path}, nothing before or after it")
	}
	result := Secret{Reference: text}
	if s.offline {
		return result, nil
	}
	value, err := s.read(scheme, name)
	if err != nil {
		return Secret{}, err
	}
	value = trimSecret(value)
	if value == "" {
		return Secret{}, fmt.Errorf("refers to %s, which is empty", describe(scheme, name))
	}
	if err := checkSecret(value); err != nil {
		return Secret{}, fmt.Errorf("refers to %s, which %w", describe(scheme, name), err)
	}
	result.Text = secret.New(value)
	return result, nil
}

func (s sources) read(scheme, name string) (string, error) {
	if scheme == "env" {
		value, ok := s.environ[name]
		if !ok {
			return "", fmt.Errorf("refers to %s, which is not set", describe(scheme, name))
		}
		return value, nil
	}
	text, err := s.files.ReadFile(name, maxSecret)
	if err != nil {
		return "", fmt.Errorf("refers to %s, which cannot be read: %w", describe(scheme, name), cause(err))
	}
	return string(text), nil
}

func describe(scheme, name string) string {
	if scheme == "env" {
		return "environment variable " + name
	}
	return "file " + name
}

// trimSecret removes what editors and orchestrators add: a byte order mark and
// the line end.
func trimSecret(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

func checkSecret(text string) error {
	if strings.ContainsAny(text, "\x00\r\n") {
		return errors.New("is a secret of several lines or with a zero byte in it: it must be one line")
	}
	return nil
}

// Reread follows a ${file:…} reference again, so that a rotated file takes
// effect without a reload. Literals and ${env:…} stay what they are. The error
// names the file, never its content; files nil = the machine's.
func (s Secret) Reread(files Files) (Secret, error) {
	if !s.Rotates() {
		return s, nil
	}
	if files == nil {
		files = OSFiles{}
	}
	return sources{files: files}.resolve(s.Reference)
}

// Rotates reports whether the secret is in a file, which may change while the
// gateway runs.
func (s Secret) Rotates() bool { return strings.HasPrefix(s.Reference, "${file:") }

// Reread is [Secret.Reread] for a key, which it also checks.
func (k Key) Reread(files Files) (Key, error) {
	fresh, err := k.Secret.Reread(files)
	if err != nil {
		return Key{}, err
	}
	if _, err := decodeKey(fresh.Reveal()); err != nil && fresh.Set() {
		return Key{}, fmt.Errorf("%s: %w", k.Reference, err)
	}
	return Key{fresh}, nil
}

// Set reports whether there is a secret, or a reference that was not followed.
func (s Secret) Set() bool { return !s.IsZero() || s.Reference != "" }
