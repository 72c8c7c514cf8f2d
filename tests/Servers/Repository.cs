namespace TaskQueue.Tests.Servers;

/// <summary>The checkout that the tests were built in.</summary>
internal static class Repository
{
    /// <summary>Whether the tests write the generated files of <c>docs/</c> instead of comparing them.</summary>
    public static bool WritesDocs => Environment.GetEnvironmentVariable("TASKQUEUE_WRITE_DOCS") == "1";

    /// <summary>Path of a file. Not from the compiler's idea of the source path, which a deterministic build replaces.</summary>
    public static string FileAt(params string[] parts)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "TaskQueue.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("TaskQueue.sln is in no folder above the tests.");
        return Path.Combine([folder.FullName, .. parts]);
    }
}
