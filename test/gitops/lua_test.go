package gitops

import (
	"context"
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// luaPatience is how long Argo CD lets a script run.
const luaPatience = time.Second

// run runs a script as Argo CD runs one of argocd-cm, which has the tables of Lua, no strings, no
// files, and of os the time and the date alone.
func run(script string, object map[string]any) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, onlyTheTime)
	ctx, cancel := context.WithTimeout(context.Background(), luaPatience)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	result, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return nil, errors.New("the script returned no table")
	}
	return fromLua(result), nil
}

// onlyTheTime is the module os without what Argo CD keeps from scripts.
func onlyTheTime(state *lua.LState) int {
	whole := state.NewTable()
	state.Push(state.NewFunction(lua.OpenOs))
	state.Call(0, 1)
	given := state.Get(-1)
	state.Pop(1)
	for _, name := range []string{"time", "date"} {
		whole.RawSetString(name, state.GetField(given, name))
	}
	state.SetGlobal(lua.OsLibName, whole)
	state.Push(whole)
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case int64:
		return lua.LNumber(known)
	case float64:
		return lua.LNumber(known)
	case []any:
		list := state.NewTable()
		for _, item := range known {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		fields := state.NewTable()
		for key, item := range known {
			fields.RawSetString(key, toLua(state, item))
		}
		return fields
	}
	panic(fmt.Sprintf("no object of the API holds a %T", value))
}

// fromLua gives an empty table as an empty list, as Argo CD does: Lua tells no difference.
func fromLua(value lua.LValue) any {
	switch known := value.(type) {
	case lua.LBool:
		return bool(known)
	case lua.LString:
		return string(known)
	case lua.LNumber:
		return float64(known)
	case *lua.LTable:
		if known.Len() > 0 || isEmpty(known) {
			list := make([]any, 0, known.Len())
			known.ForEach(func(_, item lua.LValue) { list = append(list, fromLua(item)) })
			return list
		}
		fields := map[string]any{}
		known.ForEach(func(key, item lua.LValue) { fields[lua.LVAsString(key)] = fromLua(item) })
		return fields
	}
	return nil
}

func isEmpty(table *lua.LTable) bool {
	key, _ := table.Next(lua.LNil)
	return key == lua.LNil
}
