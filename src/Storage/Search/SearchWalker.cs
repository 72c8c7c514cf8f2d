using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage.Search;

/// <summary>Reads the keys of some walks step by step, newest first. A task in two of them is read once.</summary>
internal sealed class SearchWalker(IReadOnlyList<SearchWalk> walks, SearchRange range)
{
    /// <summary>Tasks among which the oldest is looked for.</summary>
    private const int Tried = 100;

    private readonly List<Source> _sources = [.. walks.Select(w => new Source(w))];
    private (Guid, Guid)? _last;

    /// <summary>Whether all have been read.</summary>
    public bool IsAtEnd => _sources.TrueForAll(s => s.IsAtEnd && s.Read.Count == 0);

    /// <summary>Reads up to so many; none at the end.</summary>
    public async Task<List<SearchKey>> NextAsync(TaskDbContext db, int max, CancellationToken cancellationToken)
    {
        var keys = new List<SearchKey>(max);
        while (keys.Count < max)
        {
            foreach (var source in _sources.Where(s => s.Read.Count == 0 && !s.IsAtEnd))
                await source.ReadAsync(db, range, max, cancellationToken);
            if (_sources.Where(s => s.Read.Count > 0).MaxBy(s => s.Read.Peek().ListedAs) is not { } newest)
                break;
            var key = newest.Read.Dequeue();
            if ((key.ListedAs, key.Id) != _last) // a task may have moved from one table to another
                keys.Add(key);
            _last = (key.ListedAs, key.Id);
        }

        return keys;
    }

    /// <summary>The oldest of all; null if there is none.</summary>
    /// <param name="db">The database.</param>
    /// <param name="hasListed">Whether there are tasks that are not where their own ids are: these are left out if they are few.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<Guid?> OldestAsync(TaskDbContext db, bool hasListed, CancellationToken cancellationToken)
    {
        Guid? oldest = null;
        foreach (var source in _sources)
        {
            var keys = await range.Cut(source.Walk.Keys(db)).OrderBy(k => k.ListedAs).Take(hasListed ? Tried : 1)
                .ToListAsync(cancellationToken);
            if (hasListed && keys.Count > 0)
            {
                List<Guid> ids = keys.ConvertAll(k => k.Id);
                var listed = await db.Submitted.Where(t => ids.Contains(t.CorrelationId)).Select(SearchKey.Of)
                    .ToDictionaryAsync(k => k.Id, k => k.ListedAs, cancellationToken);
                keys.RemoveAll(k => listed.GetValueOrDefault(k.Id) != k.ListedAs);
            }

            if (keys.Count > 0 && (oldest is null || keys[0].ListedAs < oldest))
                oldest = keys[0].ListedAs;
        }

        return oldest;
    }

    private sealed class Source(SearchWalk walk)
    {
        private Guid? _last;

        public SearchWalk Walk => walk;

        public Queue<SearchKey> Read { get; } = [];

        public bool IsAtEnd { get; private set; }

        public async Task ReadAsync(TaskDbContext db, SearchRange range, int max, CancellationToken cancellationToken)
        {
            var rest = range with { Before = _last ?? range.Before };
            var keys = await rest.Cut(walk.Keys(db)).OrderByDescending(k => k.ListedAs).Take(max).ToListAsync(cancellationToken);
            keys.ForEach(Read.Enqueue);
            IsAtEnd = keys.Count < max;
            _last = keys.Count > 0 ? keys[^1].ListedAs : _last;
        }
    }
}
