package fakespaces

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// member is one member of a JSON object. Objects are lists, because the order
// of the vendor's examples is kept.
type member struct {
	name  string
	value any
}

type object []member

// set changes a member that is there; an object without it stays as it is, so
// that faults of token answers leave refusals alone.
func (o object) set(name string, value any) {
	for i := range o {
		if o[i].name == name {
			o[i].value = value
		}
	}
}

func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o object) without(name string) object {
	var kept object
	for _, m := range o {
		if m.name != name {
			kept = append(kept, m)
		}
	}
	return kept
}

// MarshalJSON keeps the order of the members.
func (o object) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "%q:%s", m.name, value)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}
