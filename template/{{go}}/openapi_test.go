package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// openapi.json describes exactly the routes and types of the code.

// document is the part of openapi.json that the tests read.
type document struct {
	Paths      map[string]map[string]any `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type schema struct {
	Type       any               `json:"type"` // a name, or several
	Format     string            `json:"format"`
	Ref        string            `json:"$ref"`
	Default    any               `json:"default"`
	Items      *schema           `json:"items"`
	AnyOf      []schema          `json:"anyOf"`
	OneOf      []schema          `json:"oneOf"`
	AllOf      []schema          `json:"allOf"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
}

func TestOpenAPIHasExactlyTheRoutes(t *testing.T) {
	documented, served := []string{}, []string{}
	for path, item := range fromJSON[document](t, string(openapi)).Paths {
		for method := range item {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for pattern := range (&app{}).routes() {
		if strings.Contains(pattern, " /v1/") {
			served = append(served, pattern)
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("openapi.json has\n%q, the service\n%q", documented, served)
	}
}

func TestOpenAPIHasTheMembersOfEveryType(t *testing.T) {
	types := map[string]reflect.Type{}
	for _, value := range append([]any{Problem{}, Fault{}}, schemaTypes...) {
		types[reflect.TypeOf(value).Name()] = reflect.TypeOf(value)
	}
	for name, schema := range fromJSON[document](t, string(openapi)).Components.Schemas {
		kind, found := types[name]
		if !found {
			t.Errorf("openapi.json has the schema %s, but schemaTypes no type of that name", name)
			continue
		}
		for _, difference := range differences(name, schema, kind) {
			t.Error(difference)
		}
	}
}

// differences compares the members of a schema with those of a type.
func differences(name string, schema schema, kind reflect.Type) (found []string) {
	members := membersOf(kind)
	documented, names := slices.Sorted(maps.Keys(schema.Properties)), slices.Sorted(maps.Keys(members))
	if !slices.Equal(documented, names) {
		found = append(found, fmt.Sprintf("%s has %q in openapi.json, but %q in the code", name, documented, names))
	}
	for member, of := range members {
		property := schema.Properties[member]
		if required := slices.Contains(schema.Required, member); required == of.optional && property.Default == nil {
			found = append(found, name+"."+member+" is required only in openapi.json, or only in the code")
		}
		if !property.describes(of.kind, of.optional) {
			found = append(found, name+"."+member+" has the type "+of.kind.String()+", unlike in openapi.json")
		}
	}
	return found
}

// describes reports whether a schema allows exactly the JSON type of a Go type. An optional member
// may be null in the schema only.
func (s schema) describes(kind reflect.Type, optional bool) bool {
	types, nullable := s.withoutNull()
	if kind.Kind() == reflect.Pointer && (nullable || optional) {
		kind, nullable = kind.Elem(), false
	}
	if kind.Kind() == reflect.Interface {
		return true
	}
	return len(types) == 1 && (!nullable || optional) && types[0].isType(kind)
}

// withoutNull returns the alternatives of a schema.
func (s schema) withoutNull() (types []schema, nullable bool) {
	if len(s.AllOf) == 1 { // a reference with a description
		return s.AllOf[0].withoutNull()
	}
	alternatives := slices.Concat(s.AnyOf, s.OneOf)
	if names, several := s.Type.([]any); several {
		for _, name := range names {
			one := s
			one.Type = name
			alternatives = append(alternatives, one)
		}
	}
	if len(alternatives) == 0 {
		return []schema{s}, false
	}
	types = slices.DeleteFunc(alternatives, func(one schema) bool { return one.Type == "null" })
	return types, len(types) < len(alternatives)
}

func (s schema) isType(kind reflect.Type) bool {
	switch kind {
	case reflect.TypeFor[time.Time]():
		return s.Type == "string" && s.Format == "date-time"
	case reflect.TypeFor[uuid.UUID]():
		return s.Type == "string" && s.Format == "uuid"
	}
	switch kind.Kind() {
	case reflect.String:
		return s.Type == "string"
	case reflect.Bool:
		return s.Type == "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return s.Type == "integer"
	case reflect.Float32, reflect.Float64:
		return s.Type == "number"
	case reflect.Slice:
		return s.Type == "array" && s.Items != nil && s.Items.describes(kind.Elem(), false)
	case reflect.Map:
		return s.Type == "object"
	case reflect.Struct:
		inline := s.Type == "object" && len(differences("", s, kind)) == 0
		return inline || s.Ref == "#/components/schemas/"+kind.Name()
	default:
		return false
	}
}

func TestADifferenceOfOpenAPIIsFound(t *testing.T) {
	type line struct {
		Product  uuid.UUID `json:"product"`
		Quantity int       `json:"quantity"`
		Note     *string   `json:"note,omitempty"`
	}
	const right = `{"properties": {"product": {"type": "string", "format": "uuid"},
		"quantity": {"type": "integer"}, "note": {"type": ["string", "null"]}},
		"required": ["product", "quantity"]}`
	for _, change := range []struct{ from, to string }{
		{"integer", "string"},
		{"uuid", "date-time"},
		{`"string", "null"`, `"integer", "null"`},
		{`, "quantity"]`, `]`},
		{`"quantity"]`, `"quantity", "note"]`},
		{`"note"`, `"remark"`},
	} {
		wrong := strings.Replace(right, change.from, change.to, 1)
		if found := differences("Line", fromJSON[schema](t, wrong), reflect.TypeFor[line]()); len(found) == 0 {
			t.Error(change)
		}
	}
	if found := differences("Line", fromJSON[schema](t, right), reflect.TypeFor[line]()); len(found) != 0 {
		t.Error(found)
	}
}
