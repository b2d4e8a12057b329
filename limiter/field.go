package limiter

import "strings"

// only returns the one value of a field. Repetitions of the same text are one
// value; ok is false if the texts differ.
func only(values []string) (text string, given, ok bool) {
	for i, v := range values {
		v = strings.Trim(v, " \t")
		if i > 0 && v != text {
			return "", true, false
		}
		text = v
	}
	return text, len(values) > 0, true
}

// onlyMember is only for fields whose value holds no comma: repeated lines may
// have been joined with commas on the way (RFC 9110 section 5.2).
func onlyMember(values []string) (text string, given, ok bool) {
	text, given, ok = only(values)
	if !ok || !strings.Contains(text, ",") {
		return text, given, ok
	}
	return only(strings.Split(text, ","))
}

// count is one field that holds a number of tokens or seconds.
type count struct {
	value int64
	given bool      // the field is there, readable or not
	bad   Anomalies // why it cannot be read
}

func (c count) usable() bool { return c.given && c.bad == 0 }

func readCount(values []string) count {
	text, given, ok := onlyMember(values)
	switch {
	case !given:
		return count{}
	case !ok:
		return count{given: true, bad: AnomaliesOf(AnomalyRepeated)}
	}
	n, bad := parseCount(text)
	return count{value: n, given: true, bad: bad}
}

// parseCount reads 1*DIGIT up to maxCount. strconv would let a plus sign and
// underscores pass.
func parseCount(text string) (int64, Anomalies) {
	digits, negative := strings.CutPrefix(text, "-")
	n, ok := parseDigits(digits)
	switch {
	case !ok:
		return 0, AnomaliesOf(AnomalyUnparsable)
	case negative:
		return 0, AnomaliesOf(AnomalyNegative)
	case n > maxCount:
		return 0, AnomaliesOf(AnomalyRange)
	}
	return n, 0
}

// parseDigits returns the number that text writes in decimal digits alone, or
// maxCount+1 if it is larger than that.
func parseDigits(text string) (int64, bool) {
	if text == "" {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		d := text[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = min(n*10+int64(d), maxCount+1)
	}
	return n, true
}
