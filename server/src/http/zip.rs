//! Files in one ZIP archive, stored as they are: answers are small, and every system opens it.

/// An archive of these files. Names are ASCII; more than 4 GiB is not for this.
#[must_use]
pub fn archive(files: &[(String, &[u8])]) -> Vec<u8> {
    let mut out =
        Vec::with_capacity(files.iter().map(|(name, body)| body.len() + 2 * name.len() + 76).sum::<usize>() + 22);
    let mut directory = Vec::new();
    for (name, body) in files {
        let at = out.len() as u32;
        let mut facts = Vec::with_capacity(26);
        // Version 1.0, no flags, stored; the first of January 1980, since nobody needs another.
        put16(&mut facts, &[10, 0, 0, 0, 0x21]);
        put32(&mut facts, &[crc32(body), body.len() as u32, body.len() as u32]);
        put16(&mut facts, &[name.len() as u16, 0]);
        put32(&mut out, &[0x0403_4b50]);
        out.extend_from_slice(&facts);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(body);
        put32(&mut directory, &[0x0201_4b50]);
        put16(&mut directory, &[10]);
        directory.extend_from_slice(&facts);
        // No comment, disk 0, no attributes; where the file begins.
        put16(&mut directory, &[0, 0, 0]);
        put32(&mut directory, &[0, at]);
        directory.extend_from_slice(name.as_bytes());
    }
    let (at, size, count) = (out.len() as u32, directory.len() as u32, files.len() as u16);
    out.append(&mut directory);
    put32(&mut out, &[0x0605_4b50]);
    put16(&mut out, &[0, 0, count, count]);
    put32(&mut out, &[size, at]);
    put16(&mut out, &[0]);
    out
}

fn put16(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

/// The checksum that ZIP wants (ISO 3309, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let crc = crc ^ u32::from(*byte);
        (0..8).fold(crc, |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!((crc32(b"123456789"), crc32(b"")), (0xcbf4_3926, 0));
    }

    #[test]
    fn the_directory_leads_to_each_file() {
        let files = [("a.md".to_owned(), &b"first"[..]), ("b.json".to_owned(), &b"{}"[..])];
        let zip = archive(&files);
        let u16_at = |at: usize| u16::from_le_bytes([zip[at], zip[at + 1]]) as usize;
        let u32_at = |at: usize| u32::from_le_bytes([zip[at], zip[at + 1], zip[at + 2], zip[at + 3]]) as usize;
        let end = zip.len() - 22;
        assert_eq!((u32_at(end), u16_at(end + 10)), (0x0605_4b50, 2));
        let mut entry = u32_at(end + 16);
        for (name, body) in &files {
            assert_eq!((u32_at(entry), u32_at(entry + 24)), (0x0201_4b50, body.len()));
            let at = u32_at(entry + 42);
            assert_eq!(u32_at(at), 0x0403_4b50);
            let start = at + 30 + u16_at(at + 26);
            assert_eq!(&zip[at + 30..start], name.as_bytes());
            assert_eq!(&zip[start..start + body.len()], *body);
            entry += 46 + u16_at(entry + 28);
        }
        assert_eq!(entry, end);
    }
}
