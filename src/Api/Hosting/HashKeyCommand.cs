using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Api.Hosting;

/// <summary><c>taskqueue hash-key</c>: the KeyHash of a key that comes on standard input, or of a new one.</summary>
internal static class HashKeyCommand
{
    private const int KeyBytes = 32;

    public static async Task<int> RunAsync()
    {
        var given = Console.IsInputRedirected ? (await Console.In.ReadToEndAsync()).TrimEnd('\r', '\n') : "";
        var key = given.Length > 0 ? given : $"tq_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes))}";
        if (given.Length == 0)
            Console.WriteLine($"Key: {key}");
        Console.WriteLine($"KeyHash: {Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}");
        return 0;
    }
}
