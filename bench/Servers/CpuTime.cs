namespace TaskQueue.Bench.Servers;

/// <summary>CPU time of processes of this machine, user and system, read from <c>/proc</c>.</summary>
internal static class CpuTime
{
    private const double TicksPerSecond = 100; // USER_HZ

    /// <summary>CPU time of a process and its children, also of those that have exited.</summary>
    public static TimeSpan OfTree(int root)
    {
        var ticks = 0L;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out var id) && ReadFields(id) is { } fields
                && (id == root || Parent(fields) == root))
                ticks += fields[11..15].Sum(long.Parse); // utime, stime, and those of children that it has waited for
        }

        return TimeSpan.FromSeconds(ticks / TicksPerSecond);
    }

    /// <summary>A process and all that descend from it.</summary>
    public static IReadOnlyList<int> Tree(int root)
    {
        var children = Directory.EnumerateDirectories("/proc").Select(f => int.TryParse(Path.GetFileName(f), out var id) ? id : 0)
            .Where(id => id != 0).Select(id => (Id: id, Fields: ReadFields(id))).Where(p => p.Fields is not null)
            .ToLookup(p => Parent(p.Fields!), p => p.Id);
        var all = new List<int> { root };
        for (var i = 0; i < all.Count; i++)
            all.AddRange(children[all[i]]);
        return all;
    }

    /// <summary>The parent of a process.</summary>
    /// <exception cref="BenchException">No such process runs on this machine.</exception>
    public static int ParentOf(int id) => ReadFields(id) is { } fields ? Parent(fields)
        : throw new BenchException("CPU times are read from /proc: the database must run on this machine, and outside a container");

    private static int Parent(string[] fields) => int.Parse(fields[1]);

    /// <summary>The fields of <c>/proc/ID/stat</c> after the name, which may contain spaces; null if there is no such process.</summary>
    private static string[]? ReadFields(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }
}
