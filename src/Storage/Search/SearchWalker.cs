using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage.Search;

/// <summary>Reads the ids of some walks step by step, newest first. An id in two of them is read once.</summary>
internal sealed class SearchWalker(IReadOnlyList<SearchWalk> walks, SearchRange range)
{
    private readonly List<Source> _sources = [.. walks.Select(w => new Source(w))];
    private Guid? _last;

    /// <summary>Whether all ids have been read.</summary>
    public bool IsAtEnd => _sources.TrueForAll(s => s.IsAtEnd && s.Read.Count == 0);

    /// <summary>Reads up to so many ids; none at the end.</summary>
    public async Task<List<Guid>> NextAsync(TaskDbContext db, int max, CancellationToken cancellationToken)
    {
        var ids = new List<Guid>(max);
        while (ids.Count < max)
        {
            foreach (var source in _sources.Where(s => s.Read.Count == 0 && !s.IsAtEnd))
                await source.ReadAsync(db, range, max, cancellationToken);
            if (_sources.Where(s => s.Read.Count > 0).MaxBy(s => s.Read.Peek()) is not { } newest)
                break;
            var id = newest.Read.Dequeue();
            if (id != _last) // a task may have moved from one table to another
                ids.Add(id);
            _last = id;
        }

        return ids;
    }

    /// <summary>The oldest id of all; null if there is none.</summary>
    public async Task<Guid?> OldestAsync(TaskDbContext db, CancellationToken cancellationToken)
    {
        Guid? oldest = null;
        foreach (var source in _sources)
        {
            var first = await range.Cut(source.Walk.Ids(db)).OrderBy(id => id).Select(id => (Guid?)id)
                .FirstOrDefaultAsync(cancellationToken);
            if (oldest is null || first < oldest)
                oldest = first ?? oldest;
        }

        return oldest;
    }

    private sealed class Source(SearchWalk walk)
    {
        private Guid? _last;

        public SearchWalk Walk => walk;

        public Queue<Guid> Read { get; } = [];

        public bool IsAtEnd { get; private set; }

        public async Task ReadAsync(TaskDbContext db, SearchRange range, int max, CancellationToken cancellationToken)
        {
            var rest = range with { Before = _last ?? range.Before };
            var ids = await rest.Cut(walk.Ids(db)).OrderByDescending(id => id).Take(max).ToListAsync(cancellationToken);
            ids.ForEach(Read.Enqueue);
            IsAtEnd = ids.Count < max;
            _last = ids.Count > 0 ? ids[^1] : _last;
        }
    }
}
