package rawcase

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const maxRepeat = 1 << 25 // bytes; a case must fit into memory

// expand joins the lines of a block and replaces variables, repetitions and
// escapes, in this order.
func expand(lines []string, vars map[string]string) ([]byte, error) {
	var out []byte
	for _, line := range lines {
		text, err := replaceVars(line, vars)
		if err == nil {
			text, err = replaceRepeats(text)
		}
		if err != nil {
			return nil, err
		}
		if out, err = appendUnescaped(out, text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func replaceVars(s string, vars map[string]string) (string, error) {
	for {
		before, after, ok := strings.Cut(s, "${")
		if !ok {
			return s, nil
		}
		name, rest, ok := strings.Cut(after, "}")
		value, known := vars[name]
		if !ok || !known {
			return "", fmt.Errorf("unknown variable ${%s}", name)
		}
		s = before + value + rest
	}
}

// replaceRepeats replaces %repeat(count,text); text ends at the first ")".
func replaceRepeats(s string) (string, error) {
	for {
		before, after, ok := strings.Cut(s, "%repeat(")
		if !ok {
			return s, nil
		}
		count, rest, ok1 := strings.Cut(after, ",")
		text, rest, ok2 := strings.Cut(rest, ")")
		n, err := strconv.Atoi(count)
		if !ok1 || !ok2 || err != nil || n < 0 || n*len(text) > maxRepeat {
			return "", errors.New("write %repeat(count,text)")
		}
		s = before + strings.Repeat(text, n) + rest
	}
}

func appendUnescaped(out []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if i == len(s) {
			return nil, errors.New(`a \ at the end of a line`)
		}
		switch s[i] {
		case 'r':
			out = append(out, '\r')
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case '0':
			out = append(out, 0)
		case '\\':
			out = append(out, '\\')
		case 'x':
			if i+2 >= len(s) {
				return nil, errors.New(`write \xNN`)
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return nil, fmt.Errorf(`\x%s is no byte`, s[i+1:i+3])
			}
			out = append(out, byte(n))
			i += 2
		default:
			return nil, fmt.Errorf(`unknown escape \%c`, s[i])
		}
	}
	return out, nil
}
