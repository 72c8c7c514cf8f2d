using Shouldly;

namespace TaskQueue.Tests.Servers;

/// <summary>The checkout that the tests were built in.</summary>
internal static class Repository
{
    /// <summary>Whether the tests write the generated files of <c>docs/</c> instead of comparing them.</summary>
    public static bool WritesDocs => Environment.GetEnvironmentVariable("TASKQUEUE_WRITE_DOCS") == "1";

    /// <summary>Folder in which test.sh has installed the packages and scripts of <c>tests/Clients</c>.</summary>
    public static string Clients => Environment.GetEnvironmentVariable("TASKQUEUE_TEST_CLIENTS")
        ?? throw new InvalidOperationException("TASKQUEUE_TEST_CLIENTS is not set: run the tests with ./test.sh, which installs them.");

    /// <summary>Path of a file. Not from the compiler's source path, which a deterministic build replaces.</summary>
    public static string FileAt(params string[] parts)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "TaskQueue.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("TaskQueue.sln is in no folder above the tests.");
        return Path.Combine([folder.FullName, .. parts]);
    }

    /// <summary>Compares the generated part of a file in <c>docs/</c>, or writes it.</summary>
    public static void CompareGenerated(string file, string content)
    {
        const string begin = "<!-- generated: begin -->\n", end = "<!-- generated: end -->\n";
        var path = FileAt("docs", file);
        var text = File.ReadAllText(path);
        var from = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        var to = text.IndexOf(end, StringComparison.Ordinal);
        from.ShouldBeInRange(begin.Length, to);
        if (WritesDocs)
            File.WriteAllText(path, text[..from] + content + text[to..]);
        else
            text[from..to].ShouldBe(content, $"docs/{file} is out of date: run this test with TASKQUEUE_WRITE_DOCS=1 to write it");
    }
}
