package iqsim

import (
	"fmt"
	"strings"
)

// comparison reads "Field op literal", or a function that is true or false by
// itself.
func (p *filterParser) comparison(depth int) (filter, error) {
	left, err := p.operand(depth, false)
	if err != nil {
		return nil, err
	}
	if next := p.peek(); next.kind != lexWord || !isComparison(next.word) {
		return func(d document) bool { return left(d) == true }, nil
	}
	op := strings.ToLower(p.next().word)
	right, err := p.operand(depth, true)
	if err != nil {
		return nil, err
	}
	return func(d document) bool { return holds(op, left(d), right(d)) }, nil
}

func isComparison(word string) bool {
	switch strings.ToLower(word) {
	case "eq", "ne", "gt", "ge", "lt", "le":
		return true
	}
	return false
}

func isConnective(word string) bool {
	switch strings.ToLower(word) {
	case "and", "or", "not":
		return true
	}
	return false
}

// holds says whether "a op b" is true.
func holds(op string, a, b any) bool {
	order, ordered := compareValues(a, b)
	if !ordered {
		return op == "ne"
	}
	switch op {
	case "eq":
		return order == 0
	case "ne":
		return order != 0
	case "gt":
		return order > 0
	case "ge":
		return order >= 0
	case "lt":
		return order < 0
	default:
		return order <= 0
	}
}

// operand reads a literal, a field or a function call. On the right side a
// word that is no field of the document stands for itself.
func (p *filterParser) operand(depth int, right bool) (operand, error) {
	switch l := p.next(); l.kind {
	case lexValue:
		return func(document) any { return l.value }, nil
	case lexWord:
		if isComparison(l.word) || isConnective(l.word) {
			return nil, fmt.Errorf("filter needs a field or a value, not %s", l.word)
		}
		if p.peek().kind == lexOpen {
			return p.call(l.word, depth+1)
		}
		return field(l.word, right), nil
	case lexEnd:
		return nil, errFilterEnd
	default:
		return nil, fmt.Errorf("filter needs a field or a value")
	}
}

func field(name string, right bool) operand {
	return func(d document) any {
		if v, ok := d[name]; ok || !right {
			return v
		}
		return name
	}
}

// call reads the arguments of a function, from the opening parenthesis on.
func (p *filterParser) call(name string, depth int) (operand, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("filter is nested deeper than %d", maxFilterDepth)
	}
	p.next()
	var args []operand
	for {
		arg, err := p.operand(depth, false)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if p.peek().kind != lexComma {
			break
		}
		p.next()
	}
	if err := p.expect(lexClose, "a closing parenthesis"); err != nil {
		return nil, err
	}
	return function(name, args)
}

// function binds a function to its arguments. Note the order of OData 2:
// substringof(needle, haystack), but startswith(haystack, needle).
func function(name string, args []operand) (operand, error) {
	texts := func(d document) (a, b string) { return textOf(plain(args[0](d))), textOf(plain(args[1](d))) }
	var f operand
	arity := 2
	switch strings.ToLower(name) {
	case "substringof":
		f = func(d document) any { needle, hay := texts(d); return strings.Contains(hay, needle) }
	case "startswith":
		f = func(d document) any { hay, needle := texts(d); return strings.HasPrefix(hay, needle) }
	case "endswith":
		f = func(d document) any { hay, needle := texts(d); return strings.HasSuffix(hay, needle) }
	case "tolower":
		arity, f = 1, func(d document) any { return strings.ToLower(textOf(plain(args[0](d)))) }
	case "toupper":
		arity, f = 1, func(d document) any { return strings.ToUpper(textOf(plain(args[0](d)))) }
	default:
		return nil, fmt.Errorf("filter has no function %.40q", name)
	}
	if len(args) != arity {
		return nil, fmt.Errorf("filter function %s takes %d arguments, not %d", name, arity, len(args))
	}
	return f, nil
}
