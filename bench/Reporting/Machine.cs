namespace TaskQueue.Bench.Reporting;

/// <summary>Describes the machine of the run.</summary>
internal static class Machine
{
    /// <summary>Cores, processor, memory, kernel, and the file system of a folder.</summary>
    public static string Describe(string folder)
    {
        var processor = Field("/proc/cpuinfo", "model name") ?? "unknown processor";
        var kilobytes = long.Parse((Field("/proc/meminfo", "MemTotal") ?? "0").Split(' ')[0]);
        var kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        return $"{Environment.ProcessorCount} cores, {processor}, {kilobytes / 1024d / 1024:0.0} GiB of memory, Linux {kernel}, data on "
            + $"{FileSystem(folder)}";
    }

    /// <summary>Reads a field from a file of <c>name: value</c> lines.</summary>
    public static string? Field(string path, string name) =>
        File.ReadLines(path).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() : null;

    private static string FileSystem(string folder) =>
        DriveInfo.GetDrives().Where(d => folder.StartsWith(d.Name, StringComparison.Ordinal)).MaxBy(d => d.Name.Length)?.DriveFormat
            ?? "an unknown file system";
}
