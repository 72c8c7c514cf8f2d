using System.Reflection;

namespace TaskQueue.WebConsole.Files;

/// <summary>The built files of the console.</summary>
internal interface IConsoleBundle
{
    /// <summary>Their paths, such as <c>index.html</c> and <c>assets/index-1a2b3c.js</c>.</summary>
    IEnumerable<string> Paths { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">One of <see cref="Paths"/>.</param>
    byte[] Read(string path);
}

/// <summary>The files that are embedded in this assembly.</summary>
internal sealed class EmbeddedBundle : IConsoleBundle
{
    private const string Prefix = "dist/";

    private static readonly Assembly Own = typeof(EmbeddedBundle).Assembly;

    /// <summary>Resource by path; a build on Windows separates folders with backslashes.</summary>
    private readonly Dictionary<string, string> _resources = Own.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .ToDictionary(name => name[Prefix.Length..].Replace('\\', '/'), StringComparer.Ordinal);

    public IEnumerable<string> Paths => _resources.Keys;

    public byte[] Read(string path)
    {
        using var stream = Own.GetManifestResourceStream(_resources[path])!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
