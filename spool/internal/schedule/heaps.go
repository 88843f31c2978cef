package schedule

// groupHeap is ordered by time, then by ID.
type groupHeap[G Group] []G

func (h groupHeap[G]) Len() int { return len(h) }
func (h groupHeap[G]) Less(i, j int) bool {
	if a, b := h[i].Place().ready, h[j].Place().ready; a != b {
		return a < b
	}
	return h[i].ID() < h[j].ID()
}
func (h groupHeap[G]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].Place().index, h[j].Place().index = int32(i+1), int32(j+1)
}
func (h *groupHeap[G]) Push(x any) {
	g := x.(G)
	*h = append(*h, g)
	g.Place().index = int32(len(*h))
}
func (h *groupHeap[G]) Pop() any {
	var none G
	n := len(*h) - 1
	g := (*h)[n]
	(*h)[n] = none
	*h = (*h)[:n]
	g.Place().index = 0
	return g
}

// bucketHeap is ordered by when the first group is due.
type bucketHeap[G Group] []*bucket[G]

func (h bucketHeap[G]) Len() int           { return len(h) }
func (h bucketHeap[G]) Less(i, j int) bool { return h[i].ready() < h[j].ready() }
func (h bucketHeap[G]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *bucketHeap[G]) Push(x any) {
	b := x.(*bucket[G])
	b.index = len(*h)
	*h = append(*h, b)
}
func (h *bucketHeap[G]) Pop() any {
	n := len(*h) - 1
	b := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	b.index = -1
	return b
}
