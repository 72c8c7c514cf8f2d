using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.StaticFiles;

namespace TaskQueue.WebConsole.Files;

/// <summary>The console's files in memory, compressed when they are first asked for.</summary>
internal sealed class ConsoleFiles
{
    /// <summary>The page; it is written for each path base.</summary>
    public const string Page = "index.html";

    /// <summary>Folder of the files whose names change with their content.</summary>
    public const string Assets = "assets/";

    private static readonly FileExtensionContentTypeProvider Types = new();

    private readonly FrozenDictionary<string, Lazy<ConsoleFile>> _files;

    public ConsoleFiles(IConsoleBundle bundle)
    {
        _files = bundle.Paths.Where(path => path != Page)
            .ToFrozenDictionary(path => path, path => new Lazy<ConsoleFile>(() => Read(bundle, path)), StringComparer.Ordinal);
        PageText = bundle.Paths.Contains(Page) ? Encoding.UTF8.GetString(bundle.Read(Page)) : null;
    }

    /// <summary>The page as it was built; null if the console was not built.</summary>
    public string? PageText { get; }

    /// <summary>Finds a file; null if there is none.</summary>
    public ConsoleFile? Find(string path) => _files.GetValueOrDefault(path)?.Value;

    private static ConsoleFile Read(IConsoleBundle bundle, string path)
    {
        var bytes = bundle.Read(path);
        var type = Types.TryGetContentType(path, out var known) ? known : "application/octet-stream";
        var isText = type.StartsWith("text/", StringComparison.Ordinal) || type.EndsWith("json", StringComparison.Ordinal)
            || type.EndsWith("xml", StringComparison.Ordinal);
        return new ConsoleFile(isText ? $"{type}; charset=utf-8" : type, $"\"{Convert.ToHexString(SHA256.HashData(bytes).AsSpan(0, 16))}\"",
            bytes)
        {
            Brotli = isText ? Compress(bytes, target => new BrotliStream(target, CompressionLevel.Optimal)) : null,
            Gzip = isText ? Compress(bytes, target => new GZipStream(target, CompressionLevel.Optimal)) : null,
        };
    }

    /// <summary>The compressed bytes; null if they are not fewer.</summary>
    private static byte[]? Compress(byte[] bytes, Func<Stream, Stream> compress)
    {
        using var target = new MemoryStream();
        using (var stream = compress(target))
            stream.Write(bytes);
        var compressed = target.ToArray();
        return compressed.Length < bytes.Length ? compressed : null;
    }
}

/// <summary>A file of the console.</summary>
/// <param name="Type">Content type.</param>
/// <param name="Tag">ETag of its content.</param>
/// <param name="Plain">Its bytes.</param>
internal sealed record ConsoleFile(string Type, string Tag, byte[] Plain)
{
    /// <summary>Its bytes for clients that accept br, or null.</summary>
    public byte[]? Brotli { get; init; }

    /// <summary>Its bytes for clients that accept gzip, or null.</summary>
    public byte[]? Gzip { get; init; }
}
