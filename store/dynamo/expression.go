package dynamo

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// What DynamoDB takes in one request: bytes of an expression, and operators and functions of all together.
const (
	mostExpression = 4096
	mostOperators  = 300
)

// expression is a condition, and an update, in the making. Names and values stand in them by aliases.
type expression struct {
	names     map[string]string
	values    map[string]types.AttributeValue
	aliases   map[string]string // by name
	demands   []string
	sets      []string
	removes   []string
	operators int
}

func newExpression() *expression {
	return &expression{names: make(map[string]string), aliases: make(map[string]string)}
}

func (e *expression) name(name string) string {
	alias, ok := e.aliases[name]
	if !ok {
		alias = "#" + strconv.FormatInt(int64(len(e.names)), 36)
		e.aliases[name], e.names[alias] = alias, name
	}
	return alias
}

func (e *expression) value(v types.AttributeValue) string {
	if e.values == nil { // an empty map is refused
		e.values = make(map[string]types.AttributeValue)
	}
	alias := ":" + strconv.FormatInt(int64(len(e.values)), 36)
	e.values[alias] = v
	return alias
}

func (e *expression) demand(condition string) {
	e.demands = append(e.demands, condition)
	e.operators += 2 // with the AND
}

func (e *expression) absent(name string)  { e.demand("attribute_not_exists(" + e.name(name) + ")") }
func (e *expression) present(name string) { e.demand("attribute_exists(" + e.name(name) + ")") }

// still demands that the attribute has the value that was read, or is absent where that is nil.
func (e *expression) still(name string, was types.AttributeValue) {
	if was == nil {
		e.absent(name)
		return
	}
	e.same(e.name(name), was)
}

// same demands that there is the value at the path. Lists and maps are compared member by member: dynalite does not find two
// equal.
func (e *expression) same(path string, was types.AttributeValue) {
	switch was := was.(type) {
	case *types.AttributeValueMemberL:
		e.container(path, "L", len(was.Value))
		for i, v := range was.Value {
			e.same(path+"["+strconv.Itoa(i)+"]", v)
		}
	case *types.AttributeValueMemberM:
		if _, nameless := was.Value[""]; nameless { // to which no path leads
			e.is(path, was)
			return
		}
		e.container(path, "M", len(was.Value))
		for _, name := range slices.Sorted(maps.Keys(was.Value)) {
			e.same(path+"."+e.name(name), was.Value[name])
		}
	default:
		e.is(path, was)
	}
}

func (e *expression) is(path string, v types.AttributeValue) {
	e.demand(path + "=" + e.value(v))
}

func (e *expression) container(path, kind string, members int) {
	if members == 0 { // else the paths of the members tell
		e.demand("attribute_type(" + path + "," + e.value(&types.AttributeValueMemberS{Value: kind}) + ")")
	}
	e.demand("size(" + path + ")=" + e.value(&types.AttributeValueMemberN{Value: strconv.Itoa(members)}))
	e.operators++
}

// set gives the attribute a value; nil removes it.
func (e *expression) set(name string, v types.AttributeValue) {
	if v == nil {
		e.removes = append(e.removes, e.name(name))
		return
	}
	e.sets = append(e.sets, e.name(name)+"="+e.value(v))
	e.operators++
}

// condition returns the condition's text.
func (e *expression) condition() *string {
	text := strings.Join(e.demands, " AND ")
	return &text
}

// update returns the update's text; nil where nothing changes.
func (e *expression) update() *string {
	if len(e.sets)+len(e.removes) == 0 {
		return nil
	}
	var text string
	if len(e.sets) > 0 {
		text = "SET " + strings.Join(e.sets, ",")
	}
	if len(e.removes) > 0 {
		text += " REMOVE " + strings.Join(e.removes, ",")
	}
	return &text
}

// fits reports whether DynamoDB takes the expression.
func (e *expression) fits() bool {
	update := e.update()
	return e.operators <= mostOperators && len(*e.condition()) <= mostExpression && (update == nil || len(*update) <= mostExpression)
}

// change is what becomes of one attribute. Nil is none.
type change struct {
	name    string
	was, is types.AttributeValue
}

// stepsOf returns the updates that make the changes of an item that has the partition key, each on the condition that the
// attributes that it changes are what was read. It is one, unless there are more changes than DynamoDB takes at once; ends are
// how many changes are made by then. A list or a map that is too large to be compared member by member is compared as a whole,
// unless memberwise is true, for a server that has no such limits.
func stepsOf(partition string, changes []change, memberwise bool) (steps []*expression, ends []int) {
	for at := 0; at < len(changes); {
		end := at + 1
		step := stepOf(partition, changes[at:end], memberwise)
		for ; end < len(changes); end++ {
			more := stepOf(partition, changes[at:end+1], memberwise)
			if !more.fits() {
				break
			}
			step = more
		}
		at = end
		steps, ends = append(steps, step), append(ends, end)
	}
	return steps, ends
}

func stepOf(partition string, changes []change, memberwise bool) *expression {
	build := func(still func(e *expression, c change)) *expression {
		e := newExpression()
		e.present(partition)
		for _, c := range changes {
			still(e, c)
			e.set(c.name, c.is)
		}
		return e
	}
	e := build(func(e *expression, c change) { e.still(c.name, c.was) })
	if len(changes) == 1 && !memberwise && !e.fits() {
		e = build(func(e *expression, c change) { e.is(e.name(c.name), c.was) })
	}
	return e
}
