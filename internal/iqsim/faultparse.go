package iqsim

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// ParseFault reads a fault written as a query string, with the names of its
// JSON form: "service=crm&kind=status&status=500&count=3". Response fields are
// "field=Name: value", once for each. It serves flags and the X-Sim-Fault
// request field.
func ParseFault(text string) (Fault, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	var f Fault
	for name, all := range values {
		for _, value := range all {
			if err := f.set(name, value); err != nil {
				return Fault{}, fmt.Errorf("fault %q: %s=%s: %w", text, name, value, err)
			}
		}
	}
	if _, err := f.arm(); err != nil {
		return Fault{}, err
	}
	return f, nil
}

// set assigns one parameter.
func (f *Fault) set(name, value string) error {
	var err error
	switch name {
	case "environment":
		f.Environment = value
	case "service":
		f.Service = value
	case "method":
		f.Method = strings.ToUpper(value)
	case "path":
		f.Path = value
	case "kind":
		f.Kind = value
	case "at":
		f.At = value
	case "body":
		f.Body = value
	case "delay":
		err = f.Delay.UnmarshalText([]byte(value))
	case "probability":
		f.Probability, err = strconv.ParseFloat(value, 64)
	case "chunked":
		f.Chunked, err = strconv.ParseBool(value)
	case "bytes":
		f.Bytes, err = strconv.ParseInt(value, 10, 64)
	case "field":
		err = f.addField(value)
	default:
		err = f.setNumber(name, value)
	}
	return err
}

func (f *Fault) setNumber(name, value string) error {
	n, err := strconv.Atoi(value)
	switch name {
	case "skip":
		f.Skip = n
	case "count":
		f.Count = n
	case "status":
		f.Status = n
	case "times":
		f.Times = n
	default:
		return fmt.Errorf("unknown; there are environment, service, method, path, skip, count, probability, kind, at, delay, status, field, body, bytes, chunked, times")
	}
	return err
}

func (f *Fault) addField(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok || name == "" || strings.ContainsAny(text, "\r\n") {
		return fmt.Errorf("write a response field as Name: value")
	}
	f.Fields = append(f.Fields, Field{name, strings.TrimSpace(value)})
	return nil
}
