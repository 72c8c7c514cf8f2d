using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The packages for other languages, which need no installation.</summary>
internal static class ClientPackage
{
    /// <summary>In which their programs run: Python finds its package, and writes nothing into the checkout.</summary>
    public static IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>
    {
        ["PYTHONPATH"] = Repository.FileAt("clients", "python"), ["PYTHONDONTWRITEBYTECODE"] = "1",
    };

    public static string Python(params string[] parts) => Repository.FileAt(["clients", "python", .. parts]);

    public static string JavaScript(params string[] parts) => Repository.FileAt(["clients", "javascript", .. parts]);
}
