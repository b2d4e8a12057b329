package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"iqgateway/internal/pathpattern"
)

// parseText reads the text of a scalar of type t other than a secret. Its
// errors follow the quoted text: they begin with "is" or "must".
func parseText(t reflect.Type, text string, r rule) (any, error) {
	if text == none && r.none != "" || text == "" && mayBeEmpty(t, r) {
		return reflect.Zero(t).Interface(), nil
	}
	if text == none && isQuantity(t) {
		return nil, fmt.Errorf("is not allowed here: it must be %s", notation(t))
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return parseDuration(text, r)
	case reflect.TypeFor[Size]():
		return parseSize(text, r)
	case reflect.TypeFor[AutoSize]():
		return parseAutoSize(text, r)
	case reflect.TypeFor[Ratio]():
		return parseRatio(text)
	case reflect.TypeFor[Rate]():
		return parseRate(text)
	case reflect.TypeFor[Amount]():
		return parseAmount(text)
	case reflect.TypeFor[Date]():
		return parseDate(text)
	case reflect.TypeFor[Digest]():
		return parseDigest(text)
	case reflect.TypeFor[Pattern]():
		return parsePattern(text)
	case reflect.TypeFor[bool]():
		return parseBool(text)
	case reflect.TypeFor[int]():
		return parseInt(text, r)
	case reflect.TypeFor[string]():
		return parseString(text, r)
	default:
		return parseAddress(t, text)
	}
}

// mayBeEmpty tells the types for which "" means absent.
func mayBeEmpty(t reflect.Type, r rule) bool {
	switch t {
	case reflect.TypeFor[URL](), reflect.TypeFor[ProxyURL](), reflect.TypeFor[URLTemplate](), reflect.TypeFor[File](), reflect.TypeFor[PathPrefix]():
		return true
	case reflect.TypeFor[HostPort]():
		return r.empty // an empty listener would be a random port on every interface
	case reflect.TypeFor[string]():
		return r.enum == nil
	default:
		return false
	}
}

// isQuantity tells the types of which none can be a value, where it is allowed.
func isQuantity(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[Duration](), reflect.TypeFor[Size](), reflect.TypeFor[AutoSize](), reflect.TypeFor[Rate](), reflect.TypeFor[Amount](), reflect.TypeFor[Date](), reflect.TypeFor[int]():
		return true
	default:
		return false
	}
}

// notation says how a value of the type is written.
func notation(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "a duration such as 30s"
	case reflect.TypeFor[Size]():
		return "a size such as 64MiB"
	case reflect.TypeFor[AutoSize]():
		return "a size such as 1GiB, or auto"
	case reflect.TypeFor[Ratio]():
		return "a percentage such as 10%"
	case reflect.TypeFor[Rate]():
		return "a rate such as 1000/60s"
	case reflect.TypeFor[Amount]():
		return "a percentage such as 20% or a number of tokens"
	case reflect.TypeFor[Date]():
		return `a date such as "2027-12-31"`
	case reflect.TypeFor[Digest]():
		return "64 hexadecimal digits"
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int]():
		return "a number"
	case reflect.TypeFor[HostPort]():
		return "host:port"
	case reflect.TypeFor[Pattern]():
		return "a path pattern such as /v1/Items({id})**"
	case reflect.TypeFor[Secret](), reflect.TypeFor[Key]():
		return "a secret such as ${env:NAME} or ${file:/path}"
	case reflect.TypeFor[URL](), reflect.TypeFor[ProxyURL](), reflect.TypeFor[URLTemplate]():
		return "a URL"
	case reflect.TypeFor[Prefix]():
		return "a network such as 10.0.0.0/8"
	default:
		return "a text"
	}
}

// noneWay ends a message about what was perhaps written as 0.
func noneWay(r rule) string {
	if r.none != "" {
		return "; the word for no " + r.none + " is none"
	}
	return ""
}

func parseDuration(text string, r rule) (Duration, error) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		if meant := durationsOf(text, r); len(meant) > 0 {
			return 0, fmt.Errorf("has no unit: write %s%s", choices(meant), noneWay(r))
		}
		return 0, fmt.Errorf("is out of range: it must be %s to %s%s", r.min, r.max, noneWay(r))
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("is no duration: write it as 250ms, 30s, 5m or 1h30m")
	}
	return d, checkDuration(d, r)
}

func checkDuration(d Duration, r rule) error {
	return checkRange(d, r, func(bound string) Duration {
		limit, _ := time.ParseDuration(bound)
		return limit
	}, shortDuration)
}

// durationsOf returns what a number without a unit may have meant.
func durationsOf(number string, r rule) []string {
	return slices.DeleteFunc([]string{number + "s", number + "ms", number + "m"}, func(text string) bool {
		d, err := time.ParseDuration(text)
		return err != nil || checkDuration(d, r) != nil
	})
}

func parseSize(text string, r rule) (Size, error) {
	size, err := sizeOf(text)
	if err != nil {
		return 0, err
	}
	return size, checkRange(size, r, func(bound string) Size {
		limit, _ := sizeOf(bound)
		return limit
	}, Size.String)
}

func parseAutoSize(text string, r rule) (AutoSize, error) {
	if text == auto {
		return Auto, nil
	}
	size, err := parseSize(text, r)
	if err != nil {
		return 0, fmt.Errorf("%w; or write auto", err)
	}
	return AutoSize(size), nil
}

type unit struct {
	name  string
	bytes Size
}

func units() []unit {
	return []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// String returns the size as it is written.
func (s Size) String() string {
	for _, u := range units() {
		if s >= u.bytes && s%u.bytes == 0 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", s)
}

func sizeOf(text string) (Size, error) {
	for _, u := range units() {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 40)
		if err != nil || Size(n) > (1<<62)/u.bytes {
			break
		}
		return Size(n) * u.bytes, nil
	}
	return 0, errors.New("is no size: write a whole number with its unit, 512B, 64KiB, 32MiB, 1GiB or 1TiB")
}

// checkRange holds a value against the bounds of its rule.
func checkRange[T ~int | ~int64](v T, r rule, bound func(string) T, show func(T) string) error {
	if r.min == "" {
		return nil
	}
	low, high := bound(r.min), bound(r.max)
	if low == high && v != low {
		return fmt.Errorf("must be %s", show(low))
	}
	if v < low || v > high {
		return fmt.Errorf("is out of range: it must be %s to %s%s", show(low), show(high), noneWay(r))
	}
	return nil
}

func parseInt(text string, r rule) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || text[0] == '+' || strconv.Itoa(n) != text {
		return 0, errors.New("is no whole number in decimal digits")
	}
	return n, checkRange(n, r, func(bound string) int {
		limit, _ := strconv.Atoi(bound)
		return limit
	}, strconv.Itoa)
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, errors.New("must be true or false")
	}
}

func parseString(text string, r rule) (string, error) {
	if r.enum != nil && !slices.Contains(r.enum, text) {
		return "", fmt.Errorf("must be %s%s", choices(r.enum), didYouMean(text, r.enum))
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", errors.New("must not hold control characters")
	}
	return text, nil
}

// percent reads the number before a %.
func percent(text string) (float64, bool) {
	digits, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, false
	}
	p, err := decimal(digits)
	return p, err == nil && p <= 100
}

// decimal reads a plain non-negative decimal, without exponents, signs, NaN or
// hexadecimal floats.
func decimal(text string) (float64, error) {
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, errors.New("is no decimal")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("is no decimal: %w", err)
	}
	return v, nil
}

func parseRatio(text string) (Ratio, error) {
	if p, ok := percent(text); ok {
		return Ratio(p / 100), nil
	}
	if v, err := decimal(text); err == nil && v <= 1 {
		return Ratio(v), nil
	}
	return 0, errors.New("is no part of a whole: write 0% to 100%, or 0 to 1")
}

func parseAmount(text string) (Amount, error) {
	if p, ok := percent(text); ok && p > 0 {
		return Amount{Percent: p}, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= 1e9 && strconv.Itoa(n) == text {
		return Amount{Tokens: n}, nil
	}
	return Amount{}, errors.New("is no share: write a percentage above 0% and up to 100%, or a number of tokens; the word for no share is none")
}

func parseRate(text string) (Rate, error) {
	count, per, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if per == "s" || per == "m" || per == "h" {
		per = "1" + per
	}
	d, durationErr := time.ParseDuration(per)
	if err != nil || durationErr != nil || n < 1 || n > 1e9 || d < time.Millisecond || d > 24*time.Hour {
		return Rate{}, errors.New("is no rate: write tokens/duration, such as 1000/60s or 100/s; the word for no rate is none")
	}
	return Rate{n, d}, nil
}

// parseDate takes a day for its last instant in UTC: a key works on the day
// that it names.
func parseDate(text string) (Date, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
	}
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return Date{}, errors.New("is no date: write 2027-12-31, or an instant such as 2027-12-31T18:00:00Z")
	}
	return instant, nil
}

func parseDigest(text string) (Digest, error) {
	var d Digest
	if n, err := hex.Decode(d[:], []byte(text[:min(len(text), 2*len(d))])); err != nil || n != len(d) || len(text) != 2*len(d) {
		return Digest{}, fmt.Errorf("is no SHA-256 digest: it must be 64 hexadecimal digits, as `gateway key hash` prints, not the key itself")
	}
	return d, nil
}

func parsePattern(text string) (Pattern, error) {
	p, err := pathpattern.Parse(text)
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), fmt.Sprintf("pattern %q", text)) // it is quoted already
		return Pattern{}, fmt.Errorf("is no path pattern: %s", strings.TrimLeft(reason, ": "))
	}
	return p, nil
}
