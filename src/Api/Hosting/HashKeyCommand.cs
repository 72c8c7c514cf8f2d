using TaskQueue.Engine;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Api.Hosting;

/// <summary><c>taskqueue hash-key</c>: prints a new key with its KeyHash, or the KeyHash of a key from standard input.</summary>
internal static class HashKeyCommand
{
    private const int KeyBytes = 32;

    public static async Task<int> RunAsync(bool isGiven)
    {
        var key = isGiven ? await Console.In.ReadLineAsync() ?? ""
            : $"tq_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes))}";
        if (key.Length == 0)
            throw new StartupException("there is no key on standard input");
        if (!isGiven)
            Console.WriteLine($"Key: {key}");
        Console.WriteLine($"KeyHash: {Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}");
        return 0;
    }
}
