package secrettemplate

import (
	"fmt"
	"reflect"
	"text/template"
)

// maxWork is how many bytes go into and come out of all calls of one rendering. An
// honest template moves a few times what it renders; 8 KiB of functions on end would
// move two thousand times MaxKey.
const maxWork = 1 << 20

// errTooLarge and errTooMuch are what a metered call may complain about.
var (
	errTooLarge = useError(fmt.Sprintf("a text of more than %d KiB goes into or comes out of a function", MaxKey>>10))
	errTooMuch  = useError(fmt.Sprintf("the template does too much: its functions work on more than %d KiB in all", maxWork>>10))
)

// meter counts the work of one rendering.
type meter struct{ left int }

// bind returns the named functions, each metered.
func (m *meter) bind(names []string) template.FuncMap {
	bound := template.FuncMap{}
	for _, name := range names {
		if function := metered[name]; function != nil {
			bound[name] = m.guard(function)
		}
	}
	return bound
}

// guard wraps a function of one result, or of a result and an error. What goes in is
// weighed before the call: the functions are linear, so that bounds what they take.
func (m *meter) guard(function any) any {
	call := reflect.ValueOf(function)
	kind := call.Type()
	parameters := make([]reflect.Type, kind.NumIn())
	for i := range parameters {
		parameters[i] = kind.In(i)
	}
	results := []reflect.Type{kind.Out(0), reflect.TypeFor[error]()}
	guarded := reflect.FuncOf(parameters, results, kind.IsVariadic())
	answer := func(value reflect.Value, err error) []reflect.Value {
		return []reflect.Value{value, reflect.ValueOf(&err).Elem()}
	}
	nothing := reflect.Zero(results[0])
	var empty any = ""
	return reflect.MakeFunc(guarded, func(arguments []reflect.Value) []reflect.Value {
		size := 0
		for _, argument := range arguments {
			size += weigh(argument)
		}
		if err := m.spend(size); err != nil {
			return answer(nothing, err)
		}
		var got []reflect.Value
		if kind.IsVariadic() {
			got = call.CallSlice(arguments)
		} else {
			got = call.Call(arguments)
		}
		if len(got) > 1 && !got[1].IsNil() {
			return answer(nothing, got[1].Interface().(error))
		}
		if got[0].Kind() == reflect.Interface && got[0].IsNil() {
			// coalesce of nothing but empty texts: text/template would write "<no value>".
			return answer(reflect.ValueOf(&empty).Elem(), nil)
		}
		return answer(got[0], m.spend(weigh(got[0])))
	}).Interface()
}

func (m *meter) spend(size int) error {
	if size > MaxKey {
		return errTooLarge
	}
	if m.left -= size; m.left < 0 {
		return errTooMuch
	}
	return nil
}

// weigh tells how many bytes a value holds, about.
func weigh(value reflect.Value) int {
	const scalar = 8
	switch value.Kind() { //nolint:exhaustive // whatever is not listed has a fixed size
	case reflect.String:
		return value.Len()
	case reflect.Interface:
		if value.IsNil() {
			return 0
		}
		return weigh(value.Elem())
	case reflect.Slice:
		size := 0
		for i := range value.Len() {
			size += weigh(value.Index(i))
		}
		return size
	case reflect.Struct:
		size := 0
		for i := range value.NumField() {
			size += weigh(value.Field(i))
		}
		return size
	default:
		return scalar
	}
}
