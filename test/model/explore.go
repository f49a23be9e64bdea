package model

// found is the shortest way to a broken promise.
type found struct {
	broken string
	steps  []string
}

// explore walks through every world that can be reached, the nearest first, and returns how many there
// are and the first broken promise.
func (m model) explore(limits Limits) (worlds int, first *found) {
	type way struct {
		from int
		name string
	}
	begin := start(limits)
	seen := map[world]bool{begin: true}
	queue, ways := []world{begin}, []way{{from: -1}}
	for at := 0; at < len(queue); at++ {
		for _, next := range m.next(queue[at]) {
			if next.broken != "" {
				steps := []string{next.name}
				for back := at; ways[back].from >= 0; back = ways[back].from {
					steps = append([]string{ways[back].name}, steps...)
				}
				return len(queue), &found{next.broken, steps}
			}
			if !seen[next.to] {
				seen[next.to] = true
				queue, ways = append(queue, next.to), append(ways, way{at, next.name})
			}
		}
	}
	return len(queue), nil
}
