package traces

import (
	"bytes"
	"encoding/hex"
	"io"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is one as it was exported. Its ids are hexadecimal.
type Span struct {
	Trace, ID, Parent string // Parent "" = the trace begins with it
	Name              string
	Kind              string // server, client or internal
	Status            string // unset, ok or error
	Message           string // of the status
	State             string // tracestate
	Start, End        time.Time
	Attributes        map[string]any // string, bool, int64 or float64
	Links             []Link
	Events            []string
	Dropped           uint32 // attributes, events and links that did not fit
	Resource          map[string]any
	Scope             string
}

// Link names a span of another trace.
type Link struct {
	Trace, ID  string
	Attributes map[string]any
}

// Took is how long the span lasted.
func (s Span) Took() time.Duration { return s.End.Sub(s.Start) }

// Text returns an attribute that is a text, "" without one.
func (s Span) Text(name string) string {
	text, _ := s.Attributes[name].(string)
	return text
}

func spansOf(request *otlp.TracesData) (list []Span) {
	for _, of := range request.GetResourceSpans() {
		resource := attributes(of.GetResource().GetAttributes())
		for _, scoped := range of.GetScopeSpans() {
			for _, one := range scoped.GetSpans() {
				s := spanOf(one)
				s.Resource, s.Scope = resource, scoped.GetScope().GetName()
				list = append(list, s)
			}
		}
	}
	return list
}

func spanOf(p *otlp.Span) Span {
	s := Span{
		Trace: hex.EncodeToString(p.GetTraceId()), ID: hex.EncodeToString(p.GetSpanId()), Parent: hex.EncodeToString(p.GetParentSpanId()),
		Name: p.GetName(), Kind: kindOf(p.GetKind()), Status: statusOf(p.GetStatus().GetCode()), Message: p.GetStatus().GetMessage(),
		State: p.GetTraceState(),
		Start: time.Unix(0, int64(p.GetStartTimeUnixNano())), End: time.Unix(0, int64(p.GetEndTimeUnixNano())),
		Attributes: attributes(p.GetAttributes()),
		Dropped:    p.GetDroppedAttributesCount() + p.GetDroppedEventsCount() + p.GetDroppedLinksCount(),
	}
	for _, l := range p.GetLinks() {
		s.Links = append(s.Links, Link{
			Trace: hex.EncodeToString(l.GetTraceId()), ID: hex.EncodeToString(l.GetSpanId()), Attributes: attributes(l.GetAttributes()),
		})
	}
	for _, e := range p.GetEvents() {
		s.Events = append(s.Events, e.GetName())
	}
	return s
}

func kindOf(k otlp.Span_SpanKind) string {
	switch k {
	case otlp.Span_SPAN_KIND_SERVER:
		return "server"
	case otlp.Span_SPAN_KIND_CLIENT:
		return "client"
	case otlp.Span_SPAN_KIND_INTERNAL:
		return "internal"
	default:
		return k.String()
	}
}

func statusOf(c otlp.Status_StatusCode) string {
	switch c {
	case otlp.Status_STATUS_CODE_OK:
		return "ok"
	case otlp.Status_STATUS_CODE_ERROR:
		return "error"
	default:
		return "unset"
	}
}

func attributes(list []*common.KeyValue) map[string]any {
	all := map[string]any{}
	for _, kv := range list {
		if _, twice := all[kv.GetKey()]; twice {
			all[kv.GetKey()] = "(given twice)"
			continue
		}
		all[kv.GetKey()] = valueOf(kv.GetValue())
	}
	return all
}

func valueOf(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_DoubleValue:
		return v.DoubleValue
	case *common.AnyValue_ArrayValue:
		var list []any
		for _, one := range v.ArrayValue.GetValues() {
			list = append(list, valueOf(one))
		}
		return list
	default:
		return nil
	}
}

// readAll reads a bounded reader to its end.
func readAll(r *io.LimitedReader) ([]byte, error) {
	var text bytes.Buffer
	_, err := io.Copy(&text, r)
	return text.Bytes(), err
}
